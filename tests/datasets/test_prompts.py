"""Prompts as common programs write them into pictures, and as file names spell them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from audit.datasets import comments, graphs, prompts

A1111 = (
    "a photo of a nurse, smiling\nNegative prompt: blurry, ugly\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x512, Model hash: abc"
)
COMFY = {
    "3": {"class_type": "KSampler", "inputs": {
        "seed": 5, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a photo of a nurse"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "ugly", "clip": ["4", 1]}},
}  # fmt: skip
COMFY_LINKED = COMFY | {
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["9", 0], "clip": ["4", 1]}},
    "9": {"class_type": "PrimitiveString", "inputs": {"value": "a photo of a nurse"}},
}
COMFY_FLUX = {
    "1": {"class_type": "SamplerCustomAdvanced", "inputs": {"guider": ["2", 0], "noise": ["8", 0]}},
    "2": {"class_type": "BasicGuider", "inputs": {"model": ["4", 0], "conditioning": ["3", 0]}},
    "3": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["6", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a photo of a nurse"}},
}  # fmt: skip
COMFY_XL = COMFY | {
    "6": {"class_type": "CLIPTextEncodeSDXL",
          "inputs": {"text_g": "a photo of a nurse", "text_l": "x", "width": 1024}},
}  # fmt: skip


def png(**texts: str) -> bytes:
    """A small PNG with text chunks."""
    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def jpeg(comment: bytes | None = None, description: str | None = None, kind: str = "JPEG") -> bytes:
    """A small JPEG or WebP with EXIF."""
    exif = Image.Exif()
    if comment is not None:
        exif.get_ifd(comments.EXIF_BLOCK)[comments.USER_COMMENT] = comment
    if description is not None:
        exif[comments.DESCRIPTION] = description
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "texts",
    [
        {"parameters": A1111.replace(", smiling", "")},
        {"parameters": "a photo of a nurse\nSteps: 20, Sampler: DDIM"},
        {"parameters": "a photo\nof a nurse"},
        {"parameters": json.dumps({"prompt": "a photo of a nurse", "seed": 3})},
        {"prompt": json.dumps(COMFY), "workflow": "{}"},
        {"prompt": json.dumps(COMFY_LINKED)},
        {"prompt": json.dumps(COMFY_FLUX)},
        {"prompt": json.dumps(COMFY_XL)},
        {"invokeai_metadata": json.dumps({"positive_prompt": "a photo of a nurse", "seed": 1})},
        {"sd-metadata": json.dumps({"image": {"prompt": [{"prompt": "a photo of a nurse"}]}})},
        {"Dream": '"a photo of a nurse" -s50 -W512 -H512 -C7.5'},
        {"Comment": json.dumps({"prompt": "a photo of a nurse", "steps": 28})},
        {"Description": "a photo of a nurse --v 6.0 --ar 1:1 Job ID: 0a1b"},
        {"prompt": "a photo of a nurse"},
    ],
    ids=["a1111", "a1111-short", "a1111-lines", "json", "comfy", "comfy-linked", "comfy-flux",
         "comfy-xl", "invoke", "invoke-2", "invoke-1", "novelai", "midjourney", "plain"],
)  # fmt: skip
def test_png_text_of_common_programs(texts: dict[str, str]) -> None:
    """The positive prompt is found, and nothing but it."""
    assert prompts.embedded(png(**texts)) == "a photo of a nurse"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("order", ["utf-16-be", "utf-16-le"])
def test_exif_user_comment(kind: str, order: str) -> None:
    """JPEG and WebP carry the same text in EXIF, in either byte order."""
    comment = b"UNICODE\0" + A1111.encode(order)
    assert prompts.embedded(jpeg(comment, kind=kind)) == "a photo of a nurse, smiling"


def test_exif_in_ascii_and_as_description() -> None:
    """Plain codes and the description are read where nothing better is there."""
    assert prompts.embedded(jpeg(b"ASCII\0\0\0a nurse")) == "a nurse"
    assert prompts.embedded(jpeg(description="a nurse")) == "a nurse"


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n", png(), png(Software="x"), jpeg()])
def test_a_picture_that_says_nothing_gives_nothing(data: bytes) -> None:
    """No prompt, no error."""
    assert prompts.embedded(data) is None


def test_hostile_metadata_does_no_harm() -> None:
    """Loops, deep nesting and giant texts end in nothing."""
    loop = {"1": {"class_type": "KSampler", "inputs": {"positive": ["2", 0]}},
            "2": {"class_type": "X", "inputs": {"text": ["2", 0]}}}  # fmt: skip
    assert graphs.from_graph(loop) is None
    assert prompts.from_texts({"prompt": "[" * 100_000}) is None
    assert prompts.from_texts({"parameters": "x" * 300_000}) is None
    assert graphs.from_graph({"1": {"inputs": {"positive": [["2"], 0]}}, "2": 5}) is None


def test_a_graph_that_branches_back_on_itself_ends() -> None:
    """Every input of every node leads to every node: each is looked at once, not 11 to the 20."""
    keys = ("text", "text_g", "string", "value", "prompt", "positive", "conditioning", "guider")
    nodes = {str(n): {"inputs": {k: [str((n + i) % 40), 0] for i, k in enumerate(keys)}}
             for n in range(40)}  # fmt: skip
    assert graphs.from_graph(nodes) is None
    nodes["39"]["inputs"]["text"] = "a nurse"  # type: ignore[assignment]
    assert graphs.from_graph(nodes) == "a nurse"


def test_a_sampler_without_conditioning_is_passed_over() -> None:
    """An empty link, and a node with a guider's name alone."""
    assert graphs.from_graph({"1": {"inputs": {"positive": None}}}) is None


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["inputs", "positive", "text", "1", "prompt", "image", "nodes", "links",
                         "class_type", "latent_image", "conditioning_1", "string_a", "type",
                         "widgets_values", "name", "link", "id", "mode", "select"]),
        inner, max_size=4
    ),
    max_leaves=20,
)  # fmt: skip


@given(json_values)
def test_any_json_is_read_without_an_error(value: Any) -> None:
    """Whatever stands in a chunk, the answer is a text or nothing."""
    for key in ("prompt", "Comment", "invokeai_metadata", "parameters", "workflow"):
        found = prompts.from_texts({key: json.dumps(value)})
        assert found is None or isinstance(found, str)
    graph = {"1": {"class_type": "KSampler", "inputs": {"positive": ["2", 0], "latent": value}},
             "2": {"class_type": "Concat", "inputs": value}}  # fmt: skip
    assert graphs.from_graph(graph) is None or isinstance(graphs.from_graph(graph), str)
    drawn = {"nodes": [value, {"id": 1, "type": "KSampler", "inputs": value}], "links": [[0] * 6]}
    graphs.from_workflow(drawn)


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("00012-1234567-a photo of a nurse.png", "a photo of a nurse"),
        ("a_photo_of_a_nurse_0003.png", "a photo of a nurse"),
        ("a photo of a nurse (2).jpg", "a photo of a nurse"),
        ("a-photo-of-a-nurse-17.webp", "a photo of a nurse"),
        ("a photo of a nurse/0003.png", "a photo of a nurse"),
        ("out/a_photo_of_a_nurse/seed_42.png", "a photo of a nurse"),
        ("a photo of a nurse.png", "a photo of a nurse"),
        ("0003.png", None),
        ("IMG_0003.png", None),
        ("grid-0001.png", None),
    ],
)
def test_names_of_files_and_folders(name: str, prompt: str | None) -> None:
    """Counters and seeds are taken off; a mere number says nothing."""
    assert prompts.from_name(name) == prompt


@pytest.mark.parametrize(
    "text",
    ["Created by OpenJPEG version 2.5.4", "Created with GIMP", "Created with The GIMP",
     "CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90\n", "Lavc58.54.100",
     "Kakadu-v6.4.1", "Optimized by JPEGmini 3.14", "File written by Adobe Photoshop\u00a8 5.0",
     "LEAD Technologies Inc. V1.01", "Software: Microsoft Office", "Generated by ImageMagick"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["JPEG", "GIF", "description", "exif"])
def test_an_encoders_signature_is_not_a_prompt(kind: str, text: str) -> None:
    """It is not what was drawn; the next source decides."""
    if kind in ("JPEG", "GIF"):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, kind, comment=text.encode("latin-1"))
        data = buffer.getvalue()
    elif kind == "exif":
        data = jpeg(b"UNICODE\0" + text.encode("utf-16-le"))
    else:
        data = jpeg(description=text)
    assert prompts.embedded(data) is None


@pytest.mark.parametrize(
    "text",
    ["made by hand, a clay nurse", "created by a nurse in 1998, a painting", "Made in Japan, a car",
     "a photo of a nurse, edited in Photoshop", "Written in the sand by a nurse"],
)  # fmt: skip
def test_a_prompt_like_a_signature_is_read(text: str) -> None:
    """Only a program's own name makes a signature."""
    assert prompts.embedded(jpeg(description=text)) == text
