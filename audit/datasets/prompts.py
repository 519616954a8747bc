"""The prompt of an image, from the metadata that common programs write, or from its name.

Everything here is untrusted text: it is parsed, never run, and capped before it is parsed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import iTXt

from audit.datasets.captions import folded
from audit.datasets.comments import EXIF_BLOCK, exif_texts, is_signature, plain_text
from audit.datasets.graphs import from_graph, from_workflow
from audit.datasets.pixels import FORMATS, MAX_PIXELS
from audit.files import loads

MAX_TEXT = 200_000
"""Longer texts of metadata, in characters, are ignored, except graphs."""
MAX_GRAPH = 4_000_000
"""Longer graphs, in characters, are ignored."""
PROMPTS = ("positive_prompt", "prompt", "positiveprompt", "positive", "base_caption", "caption")
"""Keys of a prompt in JSON, as `folded` writes them, the most certain first."""
INSIDE = ("sui_image_params", "image", "extrametadata", "metadata", "meta", "parameters", "params",
          "v4_prompt", "generation_data")  # fmt: skip
"""Keys of JSON in which the prompt is."""
MAX_DEPTH = 5
_SETTINGS = re.compile(
    r"^Negative prompt:|^Steps:\s*\d|(?:[.,;|]|(?<![ \t]))[ \t]++(?:Negative prompt:|"
    r"Steps:\s*+\d++\s*+[,;|]\s*+[A-Z][\w ]{0,80}:)",
    re.MULTILINE | re.IGNORECASE,
)
"""Where the settings of AUTOMATIC1111 begin: on lines of their own, or all on one."""
_BRACKETS = re.compile(r"(?<!\\)\[[^\[\]]*\]")
_FLAGS = re.compile(r"(?<!\s)\s++(--[a-z]|Job ID:).*$", re.DOTALL | re.IGNORECASE)
_NUMBERED = re.compile(r"^\d{3,}-\d+(?:-\d+)*-(?P<prompt>.*[A-Za-z].*)$")
_COUNTER = re.compile(r"[\s_\-]*(?:\(\d+\)|#?\d+|seed[\s_\-]*\d+)$", re.IGNORECASE)
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_MIDJOURNEY = re.compile(rf"^[^_]+_(?P<prompt>.+?)_{_UUID}(?:_\d)?$", re.IGNORECASE)
_DALLE = re.compile(
    r"^DALL.{0,2}E\s\d{4}-\d\d-\d\d \d\d[.:_]\d\d[.:_]\d\d\s+-\s+(?P<prompt>.+)$", re.I
)
_FIREFLY = re.compile(r"^Firefly[\s_](?P<prompt>.*[A-Za-z].*?)[\s_]\d{3,}$", re.IGNORECASE)
_NO_PROMPT = re.compile(
    rf"^((image|img|sample|picture|output|grid|seed|download|result|photo|file)s?|(txt|img)2img|"
    rf"(txt|img)2img-(image|grid)s|comfyui|unnamed|untitled|out|dsc|final|train|test|val|data|"
    rf"dataset|tmp|temp|screenshot.*|chatgpt image.*|gemini[\s_]generated.*|{_UUID}|"
    rf"[0-9a-f]{{16,}}|[\W\d_]*)$",
    re.I,
)
"""Names that say nothing: those that programs give, hashes, and those without a letter."""


def embedded(data: bytes) -> str | None:
    """The prompt inside an image file; None if there is none, or the file is not an image."""
    exif: dict[int, Any] = {}
    block: dict[int, Any] = {}
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            texts = _texts(image)
            with suppress(OSError, SyntaxError):  # its pixels are cut short
                raw = image.getexif()
                exif, block = dict(raw), dict(raw.get_ifd(EXIF_BLOCK))
    except MemoryError:
        raise
    except Exception:  # Pillow's decoders raise many kinds for damaged files
        return None
    if found := from_texts(texts):
        return found
    return next((p for t in exif_texts(exif, block) if (p := _from_comment(t))), None)


def _from_comment(text: str) -> str | None:
    """The prompt in a comment, unless it names the program that encoded the image."""
    return None if is_signature(text) else from_parameters(text)


def _texts(image: Image.Image) -> dict[str, str]:
    """The text chunks of an image, also of one whose pixels are cut short."""
    if image.format == "PNG":
        with suppress(OSError, SyntaxError, ValueError):  # what came before them is known
            image.load()  # text may follow the pixels
    return {
        str(k): str(v) if isinstance(v, iTXt) else plain_text(v)
        for k, v in image.info.items()
        if isinstance(v, str) or (k == "comment" and isinstance(v, bytes))
    }


def from_texts(texts: Mapping[str, str]) -> str | None:
    """The prompt among a PNG's text chunks, by the keys that programs write."""
    short = {k: v for k, v in texts.items() if len(v) <= MAX_TEXT}
    if found := from_parameters(short.get("parameters", "")):
        return found
    for key in ("invokeai_metadata", "sd-metadata", "Comment", "generation_data"):
        body = _json(short.get(key, ""))
        if isinstance(body, Mapping) and (found := _named(body)):
            return _without_brackets(found) if key == "sd-metadata" else found
    for key, read in (("prompt", _named), ("workflow", from_workflow)):
        graph = _json(texts.get(key, "")[: MAX_GRAPH + 1])
        if isinstance(graph, Mapping):
            return read(graph)
    if "Dream" in short:
        match = re.match(r'"((?:[^"\\]|\\.)*)"', short["Dream"])
        return _without_brackets(match[1].replace('\\"', '"')) if match else None
    for key in ("Description", "prompt", "Prompt", "caption", "Caption", "comment"):
        text = short.get(key, "")
        machine = text.startswith("{") or (text.startswith("[") and len(text) > 2000)
        if not machine and (found := _from_comment(_FLAGS.sub("", text))):
            return found
    return None


def _without_brackets(text: str) -> str | None:
    """Without the parts that InvokeAI used to read as the negative prompt."""
    return _plain(_BRACKETS.sub("", text))


def _json(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return loads(text, finite=False)
    except ValueError:
        return None


def _plain(value: Any) -> str | None:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text or None


def _named(body: Any, depth: int = 0) -> str | None:
    """A prompt under one of its names in JSON, whatever their capitals."""
    if isinstance(body, str) and depth:
        inner = _json(body)
        return _named(inner, depth + 1) if isinstance(inner, Mapping) else _plain(body)
    if isinstance(body, list) and depth < MAX_DEPTH:
        return _of_several([_named(v, depth + 1) for v in body[:20]])
    if not isinstance(body, Mapping) or depth > MAX_DEPTH:
        return None
    if any(isinstance(v, Mapping) and "inputs" in v for v in body.values()):
        return from_graph(body)
    by_name = {folded(str(k)): v for k, v in reversed(list(body.items()))}
    for name in PROMPTS:
        if found := _named(by_name.get(name), depth + 1):
            return found
    containers = (by_name[n] for n in INSIDE if isinstance(by_name.get(n), Mapping | str))
    return next((p for c in containers if (p := _inner(c, depth + 1))), None)


def _of_several(prompts: Sequence[str | None]) -> str | None:
    """Weighted parts of a prompt as one; None where a part is not known."""
    known = list(dict.fromkeys(p for p in prompts if p))
    return " AND ".join(known) if known and all(prompts) else None


def _inner(container: Any, depth: int) -> str | None:
    """The prompt in a part of JSON, which may be JSON in a text."""
    body = _json(container) if isinstance(container, str) else container
    return _named(body, depth) if isinstance(body, Mapping) else None


def from_parameters(text: str) -> str | None:
    """The prompt of `parameters`: all before the negative prompt and the line of settings."""
    start = re.match(r"\s*(prompt|workflow):\s*(?=\{)", text, re.IGNORECASE)
    body = _json(text[start.end() if start else 0 :]) if len(text) <= MAX_GRAPH else None
    if isinstance(body, Mapping):  # some programs write JSON under the same key
        return from_workflow(body) if "nodes" in body else _named(body)
    if len(text) > MAX_TEXT or start:
        return None
    cut = _SETTINGS.search(text)
    return _plain(text[: cut.start()] if cut else text)


def from_name(path: str) -> str | None:
    """The prompt that a file's name, or its folder's, spells out; None for only a number.

    `00012-99-a nurse.png`, `a_photo_of_a_nurse_0003.png` and `a nurse/0003.png` are understood, and
    the names that Midjourney, DALL-E and Firefly give.
    """
    place = PurePosixPath(path)
    stem = re.sub(r"\s*\(\d+\)$", "", place.stem)  # a copy of the same name
    for pattern in (_NUMBERED, _MIDJOURNEY, _DALLE, _FIREFLY):
        if match := pattern.match(stem):
            return _spelled(re.split(r"[\s_]--", match["prompt"])[0])
    for name in (stem.rstrip("_- "), place.parent.name):
        words = _COUNTER.sub("", name).strip("_- ")
        if not (_NO_PROMPT.match(words) or _NO_PROMPT.match(name)):
            return _spelled(words)
    return None


def _spelled(words: str) -> str | None:
    text = words if " " in words else re.sub(r"[_+]", " ", words)
    if " " not in text:
        text = text.replace("-", " ")
    return _plain(text.strip("_- "))
