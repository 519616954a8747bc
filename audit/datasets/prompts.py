"""The prompt of an image, from the metadata that common programs write, or from its name.

Everything here is untrusted text: it is parsed, never run, and capped before it is parsed.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from PIL import Image

from audit.datasets.pixels import MAX_PIXELS
from audit.files import loads

MAX_TEXT = 200_000
"""Longer texts of metadata, in characters, are ignored."""
USER_COMMENT, EXIF_BLOCK, DESCRIPTION = 0x9286, 0x8769, 0x010E
_SETTINGS = re.compile(r"^(Negative prompt:|Steps: \d)", re.MULTILINE)
_FLAGS = re.compile(r"\s+(--[a-z]|Job ID:).*$", re.DOTALL | re.IGNORECASE)
_NUMBERED = re.compile(r"^\d{3,}-\d+(?:-\d+)*-(?P<prompt>.*[A-Za-z].*)$")
_COUNTER = re.compile(r"[\s_\-]*(?:\(\d+\)|#?\d+|seed[\s_\-]*\d+)$", re.IGNORECASE)
_NO_PROMPT = re.compile(r"^(image|img|sample|picture|output|grid|seed|comfyui|download)?$", re.I)


def embedded(data: bytes) -> str | None:
    """The prompt inside an image file; None if there is none, or the file is not an image."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            if image.format == "PNG":
                image.load()  # text may follow the pixels
            texts = {str(k): v for k, v in image.info.items() if isinstance(v, str)}
            exif = image.getexif()
            comment = exif.get_ifd(EXIF_BLOCK).get(USER_COMMENT)
            described = exif.get(DESCRIPTION)
    except Exception:  # Pillow's decoders raise many kinds for damaged files
        return None
    found = from_texts(texts)
    if found is None and comment is not None:
        found = from_parameters(_comment(comment))
    if found is None and isinstance(described, str):
        found = _plain(described)
    return found


def _comment(raw: Any) -> str:
    """EXIF UserComment: eight bytes name the character code (EXIF 2.32, 4.6.5)."""
    if isinstance(raw, str):
        return raw
    code, body = bytes(raw[:8]), bytes(raw[8:])
    if code.startswith(b"UNICODE"):
        order = "utf-16-le" if body[1:2] == b"\0" else "utf-16-be"
        return body.decode(order, "replace").strip("\0")
    return (body if code.startswith(b"ASCII") or not code.strip(b"\0") else bytes(raw)).decode(
        "utf-8", "replace"
    )


def from_texts(texts: Mapping[str, str]) -> str | None:
    """The prompt among a PNG's text chunks, by the keys that programs write."""
    short = {k: v for k, v in texts.items() if len(v) <= MAX_TEXT}
    if "parameters" in short:
        return from_parameters(short["parameters"])
    for key in ("invokeai_metadata", "sd-metadata", "Comment"):
        body = _json(short.get(key, ""))
        if isinstance(body, dict) and (found := _named(body)):
            return found
    graph = _json(short.get("prompt", ""))
    if isinstance(graph, dict):
        return from_graph(graph)
    if "Dream" in short:
        match = re.match(r'"((?:[^"\\]|\\.)*)"', short["Dream"])
        return _plain(match[1]) if match else None
    for key in ("Description", "prompt", "Prompt", "caption", "Caption"):
        text = short.get(key, "")
        machine = text.startswith("{") or (text.startswith("[") and len(text) > 2000)
        if not machine and (found := _plain(_FLAGS.sub("", text))):
            return found
    return None


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


def _named(body: Mapping[str, Any]) -> str | None:
    """InvokeAI and NovelAI: JSON with a named prompt."""
    inner = body.get("image") if isinstance(body.get("image"), dict) else body
    value = inner.get("positive_prompt") or inner.get("prompt")  # type: ignore[union-attr]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = value[0].get("prompt")
    return _plain(value)


def from_parameters(text: str) -> str | None:
    """The prompt of `parameters`: all before the negative prompt and the line of settings."""
    if len(text) > MAX_TEXT:
        return None
    body = _json(text)
    if isinstance(body, dict):  # some programs write JSON under the same key
        return _named(body) or from_graph(body)
    cut = _SETTINGS.search(text)
    return _plain(text[: cut.start()] if cut else text)


_LINKS = ("text", "text_g", "string", "value", "prompt", "clip_l", "t5xxl",
          "positive", "conditioning", "conditioning_1", "guider")  # fmt: skip
"""Inputs that lead to a text, the most reliable first."""
MAX_NODES = 200
"""Nodes of a graph that are followed."""


def from_graph(graph: Mapping[str, Any]) -> str | None:
    """The positive text of a node graph: from a sampler back along `positive` to a text."""
    nodes = {
        k: v for k, v in graph.items() if isinstance(v, dict) and isinstance(v.get("inputs"), dict)
    }
    samplers = [n for n in nodes.values() if "positive" in n["inputs"]]
    samplers += [
        n
        for n in nodes.values()
        if "Sampler" in str(n.get("class_type")) and "guider" in n["inputs"]
    ]
    for sampler in samplers:
        inputs = sampler["inputs"]
        found = _follow(nodes, inputs.get("positive") or inputs.get("guider"), set())
        if found:
            return found
    return None


def _follow(nodes: Mapping[str, Any], link: Any, seen: set[str]) -> str | None:
    """The text behind a link; each node is visited once, even if the graph has cycles."""
    if isinstance(link, str):
        return _plain(link)
    if not (isinstance(link, list) and link and str(link[0]) in nodes) or str(link[0]) in seen:
        return None
    seen.add(str(link[0]))
    if len(seen) > MAX_NODES:
        return None
    inputs = nodes[str(link[0])]["inputs"]
    for key in _LINKS:
        if key in inputs and (found := _follow(nodes, inputs[key], seen)):
            return found
    return None


def from_name(path: str) -> str | None:
    """The prompt that a file's name, or its folder's, spells out; None for only a number.

    `00012-99-a nurse.png`, `a_photo_of_a_nurse_0003.png` and `a nurse/0003.png` are understood.
    """
    place = PurePosixPath(path)
    stem = place.stem
    numbered = _NUMBERED.match(stem)
    if numbered:
        return _spelled(numbered["prompt"])
    words = _COUNTER.sub("", stem)
    if not _NO_PROMPT.match(words.strip("_- ")):
        return _spelled(words)
    parent = place.parent.name
    return _spelled(parent) if parent and not _NO_PROMPT.match(_COUNTER.sub("", parent)) else None


def _spelled(words: str) -> str | None:
    text = words if " " in words else re.sub(r"[_+]", " ", words)
    if " " not in text:
        text = text.replace("-", " ")
    return _plain(text.strip("_- "))
