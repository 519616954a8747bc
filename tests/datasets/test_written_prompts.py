"""Prompts in the layout of each program that writes them, in every container it uses."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from audit.datasets import comments, graphs, prompts

SOFTWARE = 0x0131
CASES = Path(__file__).parent.parent / "cases"
NURSE = "a photo of a nurse"
SETTINGS = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 8x8"
TEXTS = (NURSE, "a nurse, (smiling:1.2), <lora:x:0.8>", "une infirmière", "看護師の写真",
         "медсестра", "\u201ca nurse\u201d", "a nurse. At work.", "a nurse\nin a ward")  # fmt: skip


def one_line(text: str) -> str:
    """Without line breaks."""
    return " ".join(text.split())


def png(texts: dict[str, str], wide: bool = True) -> bytes:
    """A PNG with text chunks: iTXt, or tEXt with UTF-8 in it, as some programs write it."""
    info = PngInfo()
    for key, value in texts.items():
        if wide:
            info.add_itxt(key, value)
        else:
            info.add(b"tEXt", key.encode("latin-1") + b"\0" + value.encode("utf-8"))
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def picture(kind: str, exif: dict[int, Any], block: dict[int, Any] | None = None) -> bytes:
    """An image of a kind with EXIF data."""
    data = Image.Exif()
    data.update({SOFTWARE: "x", **exif})
    if block:
        data.get_ifd(comments.EXIF_BLOCK).update(block)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind, exif=data)
    return buffer.getvalue()


def a1111(text: str) -> str:
    """As AUTOMATIC1111's interface writes it."""
    return f"{text}\nNegative prompt: man, ugly\n{SETTINGS}"


PARAMETERS: dict[str, Callable[[str], str]] = {
    "a1111": a1111,
    "a1111 without negative": lambda t: f"{t}\n{SETTINGS}",
    "forge": lambda t: f"{a1111(t)}, Hires prompt: \"x\", Version: f2.0.1v1.10.1",
    "one line": lambda t: f"{t}. Negative prompt: man. {SETTINGS}",
    "one line with commas": lambda t: f"{t}, Negative prompt: man, {SETTINGS}",
    "one line without negative": lambda t: f"{t} {SETTINGS}",
    "one line in small letters": lambda t: f"{t} negative prompt: man {SETTINGS}",
    "one line with semicolons": lambda t: f"{t}; Negative prompt: man; Steps:20; Sampler: Euler",
    "negative alone": lambda t: f"{t}\nNegative prompt: man",
    "SwarmUI": lambda t: json.dumps({"sui_image_params": {
        "prompt": t, "negativeprompt": "man", "seed": 1}, "sui_extra_data": {"date": "x"}}),
    "RuinedFooocus": lambda t: json.dumps({"Prompt": t, "Negative": "man", "steps": 30}),
    "Fooocus": lambda t: json.dumps({"negative_prompt": "man", "prompt": t, "full_prompt": ["x"]}),
    "Civitai": lambda t: json.dumps({"extra": {}, "extraMetadata": json.dumps({
        "prompt": t, "negativePrompt": "man"})}),
    "capitals": lambda t: json.dumps({"POSITIVE PROMPT": t, "NEGATIVE PROMPT": "man"}),
    "positive": lambda t: json.dumps({"negative": "man", "positive": t}),
    "in a list": lambda t: json.dumps({"prompt": [{"prompt": t, "weight": 1}]}),
    "unescaped": lambda t: json.dumps({"prompt": t}, ensure_ascii=False),
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("layout", PARAMETERS)
def test_parameters_of_each_program(layout: str, text: str) -> None:
    """In PNG, in either chunk, and in EXIF of JPEG and WebP: the prompt, and nothing but it."""
    written, right = PARAMETERS[layout](text), one_line(text)
    if layout in ("one line without negative", "one line in small letters"):
        right = right.rstrip(".")  # nothing tells it from the full stop between the parts
    assert prompts.embedded(png({"parameters": written})) == right
    assert prompts.embedded(png({"parameters": written}, wide=False)) == right
    comment = b"UNICODE\0" + written.encode("utf-16-be")
    assert prompts.embedded(picture("JPEG", {}, {comments.USER_COMMENT: comment})) == right


UNICODE = b"UNICODE\0"
CODES: dict[str, Callable[[str], bytes]] = {
    "be": lambda t: UNICODE + t.encode("utf-16-be"),
    "le": lambda t: UNICODE + t.encode("utf-16-le"),
    "be with mark": lambda t: UNICODE + b"\xfe\xff" + t.encode("utf-16-be"),
    "le with mark": lambda t: UNICODE + b"\xff\xfe" + t.encode("utf-16-le"),
    "utf-8 as unicode": lambda t: UNICODE + t.encode(),
    "utf-8 with mark as unicode": lambda t: UNICODE + t.encode("utf-8-sig"),
    "small letters": lambda t: b"Unicode\0" + t.encode("utf-16-le"),
    "odd": lambda t: UNICODE + t.encode("utf-16-le") + b"\0",
    "utf-8 as ascii": lambda t: b"ASCII\0\0\0" + t.encode(),
    "utf-16 as ascii": lambda t: b"ASCII\0\0\0" + t.encode("utf-16-le"),
    "undefined": lambda t: bytes(8) + t.encode(),
    "undefined utf-16": lambda t: bytes(8) + t.encode("utf-16"),
    "none": lambda t: t.encode(),
    "zeros at the end": lambda t: b"ASCII\0\0\0" + t.encode() + bytes(40),
}


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("code", CODES)
def test_comments_in_every_code(code: str, text: str, kind: str) -> None:
    """Whatever order, mark or false name of the code."""
    comment = CODES[code](a1111(text))
    found = prompts.embedded(picture(kind, {}, {comments.USER_COMMENT: comment}))
    assert found == one_line(text)


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_one_script_alone(text: str) -> None:
    """Without settings there is no Latin letter to tell the order by."""
    for order in ("utf-16-be", "utf-16-le"):
        comment = UNICODE + text.encode(order)
        found = prompts.embedded(picture("JPEG", {}, {comments.USER_COMMENT: comment}))
        assert found == one_line(text)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("layout", ["a1111", "one line", "SwarmUI", "Fooocus"])
def test_a_description_is_read_as_a_comment(layout: str, text: str) -> None:
    """ImageDescription in UTF-8, which Pillow takes for Latin-1, and what Windows calls comment."""
    written, right = PARAMETERS[layout](text), one_line(text)
    data = {comments.DESCRIPTION: written.encode()}
    assert prompts.embedded(picture("JPEG", data)) == right
    data = {comments.XP_COMMENT: (written + "\0").encode("utf-16-le")}
    assert prompts.embedded(picture("JPEG", data)) == right


CHUNKS: dict[str, Callable[[str], dict[str, str]]] = {
    "InvokeAI": lambda t: {"invokeai_metadata": json.dumps(
        {"positive_prompt": t, "negative_prompt": "man"}), "invokeai_graph": "{}"},
    "InvokeAI 2": lambda t: {"sd-metadata": json.dumps({"image": {
        "prompt": [{"prompt": f"{t} [man]", "weight": 1}]}}), "Dream": "x"},
    "InvokeAI 2 text": lambda t: {"sd-metadata": json.dumps({"image": {"prompt": t}})},
    "InvokeAI 1": lambda t: {"Dream": f'"{t} [man]" -s 50 -S 1'},
    "InvokeAI 1 amid": lambda t: {"Dream": f'"[man, ugly] {t}" -s50 -W512'},
    "NovelAI": lambda t: {"Software": "NovelAI", "Description": t, "Comment": json.dumps(
        {"prompt": t, "uc": "man", "steps": 28})},
    "NovelAI 4": lambda t: {"Comment": json.dumps({"v4_prompt": {"caption": {
        "base_caption": t, "char_captions": []}}, "uc": "man"}), "Description": "x"},
    "Midjourney": lambda t: {"Description": f"{t} --v 6.0 --ar 1:1 Job ID: 0a1b"},
    "Easy Diffusion": lambda t: {"prompt": t, "negative_prompt": "man", "seed": "1"},
    "Fooocus log": lambda t: {"Prompt": t, "Negative Prompt": "man"},
    "TensorArt": lambda t: {"generation_data": json.dumps({"prompt": t, "negativePrompt": "man"})},
    "DALL-E": lambda t: {"Comment": json.dumps({"caption": t})},
}  # fmt: skip


@pytest.mark.parametrize("text", [t for t in TEXTS if '"' not in t])
@pytest.mark.parametrize("layout", CHUNKS)
def test_chunks_of_each_program(layout: str, text: str) -> None:
    """Negative prompts, settings and flags stay out."""
    assert prompts.embedded(png(CHUNKS[layout](text))) == one_line(text)


RIGHT = {"le_cjk.jpg": "看護師", "combine.png": "a photo of a nurse AND a man",
         "concat.png": "a photo of a nurse at work"}  # fmt: skip


@pytest.mark.parametrize(
    "path", [*sorted((CASES / "prompts").iterdir()), *sorted((CASES / "graphs").iterdir())],
    ids=lambda p: p.name,
)  # fmt: skip
def test_cases_of_the_field(path: Path) -> None:
    """Images as others had them."""
    assert prompts.embedded(path.read_bytes()) == RIGHT.get(path.name, NURSE)


def test_an_image_that_is_cut_short_says_its_prompt() -> None:
    """What stands before the pixels is whole."""
    info = PngInfo()
    info.add_text("parameters", a1111(NURSE))
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "PNG", pnginfo=info)
    assert prompts.embedded(buffer.getvalue()[:-1000]) == NURSE


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """A node of a graph."""
    return {"class_type": kind, "inputs": inputs}


BASE = {
    "4": node("CheckpointLoaderSimple", ckpt_name="x"),
    "5": node("EmptyLatentImage", width=8, height=8, batch_size=1),
    "7": node("CLIPTextEncode", text="ugly", clip=["4", 1]),
    "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
    "9": node("SaveImage", images=["8", 0], filename_prefix="x"),
    "3": node("KSampler", seed=1, positive=["6", 0], negative=["7", 0], model=["4", 0],
              latent_image=["5", 0]),
    "6": node("CLIPTextEncode", text=NURSE, clip=["4", 1]),
}  # fmt: skip
JUDGE = {"61": node("CLIPTextEncode", text="a judge", clip=["4", 1])}
PASSES: dict[str, dict[str, Any]] = {
    "plain": {},
    "refiner": {"9": node("SaveImage", images=["12", 0]), "12": node("VAEDecode", samples=["1", 0]),
                "1": node("KSamplerAdvanced", positive=["61", 0], negative=["7", 0],
                          latent_image=["3", 0])},
    "upscaler": {"9": node("SaveImage", images=["1", 0]),
                 "1": node("UltimateSDUpscale", positive=["61", 0], negative=["7", 0],
                           image=["8", 0])},
    "latent upscale": {"9": node("SaveImage", images=["12", 0]),
                       "12": node("VAEDecode", samples=["1", 0]),
                       "1": node("KSampler", positive=["61", 0], latent_image=["2", 0]),
                       "2": node("LatentUpscale", samples=["3", 0])},
    "through pixels": {"9": node("SaveImage", images=["12", 0]),
                       "12": node("VAEDecode", samples=["1", 0]),
                       "1": node("SamplerCustom", positive=["61", 0], latent_image=["2", 0]),
                       "2": node("VAEEncode", pixels=["13", 0]),
                       "13": node("ImageUpscaleWithModel", image=["8", 0])},
    "face detailer": {"9": node("SaveImage", images=["1", 0]),
                      "1": node("FaceDetailer", image=["8", 0], positive=["61", 0])},
    "both saved": {"10": node("SaveImage", images=["12", 0]),
                   "12": node("VAEDecode", samples=["1", 0]),
                   "1": node("KSampler", positive=["61", 0], latent_image=["3", 0])},
    "a sketch that guides it": {
        "6": node("ControlNetApply", conditioning=["62", 0], image=["12", 0]),
        "62": node("CLIPTextEncode", text=NURSE), "12": node("VAEDecode", samples=["1", 0]),
        "1": node("KSampler", positive=["61", 0], latent_image=["5", 0])},
}  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PASSES)
def test_the_pass_that_starts_the_image(name: str, seed: int) -> None:
    """In whatever order the nodes are written."""
    nodes = list({**BASE, **JUDGE, **PASSES[name]}.items())
    random.Random(seed).shuffle(nodes)
    assert graphs.from_graph(dict(nodes)) == NURSE


def test_two_images_of_one_graph_have_no_prompt() -> None:
    """The file does not say which of them it is."""
    other = {"1": node("KSampler", positive=["61", 0], latent_image=["5", 0]),
             "12": node("VAEDecode", samples=["1", 0]),
             "10": node("SaveImage", images=["12", 0])}  # fmt: skip
    assert graphs.from_graph({**BASE, **JUDGE, **other}) is None
    del other["10"]
    assert graphs.from_graph({**BASE, **JUDGE, **other}) == NURSE


def encoded(kind: str, **inputs: Any) -> dict[str, Any]:
    """A graph whose text is in such a node."""
    return {**BASE, "6": node(kind, **inputs)}


def linked(**nodes: dict[str, Any]) -> dict[str, Any]:
    """A graph whose text is behind a link to a node `t`."""
    return {**BASE, "6": node("CLIPTextEncode", text=["t", 0], clip=["4", 1]), **nodes}


def conditioned(kind: str, **inputs: Any) -> dict[str, Any]:
    """A graph with a node between the text and the pass."""
    return {**BASE, **JUDGE, "1": node(kind, **inputs),
            "3": node("KSampler", positive=["1", 0], latent_image=["5", 0])}  # fmt: skip


GRAPHS: list[tuple[dict[str, Any], str | None]] = [
    (encoded("CLIPTextEncodeFlux", clip_l="nurse", t5xxl=NURSE), NURSE),
    (encoded("CLIPTextEncodeFlux", clip_l=NURSE, t5xxl=""), NURSE),
    (encoded("CLIPTextEncodeSD3", clip_l="x", clip_g="y", t5xxl=NURSE), NURSE),
    (encoded("CLIPTextEncodeSD3", clip_l="x", clip_g=NURSE, t5xxl=""), NURSE),
    (encoded("CLIPTextEncodeSDXL", text_g=NURSE, text_l="x", width=8), NURSE),
    (encoded("CLIPTextEncodeSDXL", text_g="", text_l=NURSE, width=8), NURSE),
    (encoded("CLIPTextEncodeSDXL", text_g=" ", text_l=["t", 0])
     | {"t": node("S", value=NURSE)}, NURSE),
    (encoded("CLIPTextEncodeHunyuanDiT", bert="x", mt5xl=NURSE), NURSE),
    (encoded("TextEncodeQwenImageEdit", prompt=NURSE, clip=["4", 0]), NURSE),
    (encoded("ImpactWildcardEncode", wildcard_text="__x__", populated_text=NURSE), NURSE),
    (encoded("ImpactWildcardEncode", wildcard_text="a __x__", populated_text=""), None),
    (encoded("CLIPTextEncode", text="a photo of a {nurse|judge}"), None),
    (encoded("CLIPTextEncode", text=""), None),
    (linked(t=node("PrimitiveString", value=NURSE)), NURSE),
    (linked(t=node("PrimitiveStringMultiline", value=NURSE)), NURSE),
    (linked(t=node("StringConcatenate", string_a="a photo", string_b="of a nurse",
                   delimiter=" ")), NURSE),
    (linked(t=node("StringConcatenate", string_b="urse", string_a="a photo of a n",
                   delimiter="")), NURSE),
    (linked(t=node("JoinStringMulti", string_2="of", string_10="nurse", string_1="a photo",
                   string_3="a", delimiter=" ", inputcount=4)), NURSE),
    (linked(t=node("Text Concatenate", text_a=["u", 0], text_b="nurse", delimiter=" "),
            u=node("Text Multiline", text="a photo of a")), NURSE),
    (linked(t=node("CR Text Concatenate", text1=["u", 0], text2=["u", 0], separator="\\n"),
            u=node("CR Text", text="nurse")), "nurse nurse"),
    (linked(t=node("Text Concatenate", text_a=["u", 0], text_b="nurse", delimiter=" "),
            u=node("OllamaGenerate", prompt="describe a nurse")), None),
    (linked(t=node("OllamaGenerate", prompt="describe a nurse")), None),
    (linked(t=node("ShowText|pysssss", text=["u", 0], text_0=NURSE),
            u=node("OllamaGenerate", prompt="describe a nurse")), NURSE),
    (linked(t=node("DPRandomGenerator", text="a nurse")), None),
    (linked(t=node("DPMagicPrompt", text="a nurse")), None),
    (conditioned("StyleModelApply", conditioning=["6", 0], style_model=["4", 0]), NURSE),
    (linked(t=node("StringReplace", string="a judge", find="judge", replace="nurse")), None),
    (linked(t=node("StringFunction|pysssss", action="replace", text_a="a", text_b="b")), None),
    (linked(t=node("ImpactSwitch", select=2, input1="a judge", input2=["u", 0]),
            u=node("S", text=NURSE)), NURSE),
    (linked(t=node("Reroute", **{"": ["u", 0]}), u=node("S", text=NURSE)), NURSE),
    (linked(t=node("Gone", x=1)), None), (linked(), None),
    (conditioned("Reroute", **{"": ["6", 0]}), NURSE),
    (conditioned("FluxGuidance", conditioning=["6", 0], guidance=3.5), NURSE),
    (conditioned("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0]), NURSE),
    (conditioned("ConditioningZeroOut", conditioning=["6", 0]), None),
    (conditioned("ConditioningConcat", conditioning_from=["61", 0], conditioning_to=["6", 0]),
     "a photo of a nurse a judge"),
    (conditioned("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["61", 0]),
     "a photo of a nurse AND a judge"),
    (conditioned("ConditioningAverage", conditioning_to=["6", 0], conditioning_from=["61", 0]),
     "a photo of a nurse AND a judge"),
    (conditioned("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["0", 0]), NURSE),
    (conditioned("FromBasicPipe", basic_pipe=["2", 0]) | {"2": node(
        "ToBasicPipe", positive=["6", 0], negative=["7", 0])}, NURSE),
    ({"1": node("SamplerCustomAdvanced", guider=["2", 0], latent_image=["5", 0]), "6": BASE["6"],
      "2": node("CFGGuider", positive=["6", 0], negative=["7", 0]), "7": BASE["7"]}, NURSE),
    ({"1": node("easy fullLoader", positive=NURSE, negative="ugly"),
      "2": node("easy kSampler", pipe=["1", 0])}, NURSE),
    ({"1": node("Efficient Loader", positive=NURSE, negative="ugly"), "2": node(
        "KSampler (Efficient)", positive=["1", 1], negative=["1", 2],
        latent_image=["1", 3])}, NURSE),
]  # fmt: skip


@pytest.mark.parametrize(("graph", "right"), GRAPHS)
def test_texts_of_graphs(graph: dict[str, Any], right: str | None) -> None:
    """Followed to the text that was drawn; a text that is made elsewhere is unknown."""
    assert graphs.from_graph(graph) == right
    assert prompts.embedded(png({"prompt": json.dumps(graph), "workflow": "{}"})) == right
    comment = b"ASCII\0\0\0" + json.dumps({"prompt": graph}).encode()
    assert prompts.embedded(picture("JPEG", {}, {comments.USER_COMMENT: comment})) == right
    data = {comments.MODEL: f"prompt:{json.dumps(graph)}", comments.MAKE: "workflow:{}"}
    assert prompts.embedded(picture("WEBP", data)) == right


def drawing(*nodes: dict[str, Any]) -> dict[str, Any]:
    """A workflow as the interface keeps it: a sampler, an empty latent, and these nodes."""
    latent = {"id": 5, "type": "EmptyLatentImage", "mode": 0, "widgets_values": [8, 8, 1]}
    sampler = {"id": 3, "type": "KSampler", "mode": 0, "widgets_values": [1, "fixed", 20],
               "inputs": [{"name": "model", "link": None}, {"name": "positive", "link": 1},
                          {"name": "negative", "link": 2},
                          {"name": "latent_image", "link": 3}]}  # fmt: skip
    negative = {"id": 7, "type": "CLIPTextEncode", "mode": 0, "widgets_values": ["ugly"]}
    links = [[1, 6, 0, 3, 1, "CONDITIONING"], [2, 7, 0, 3, 2, "CONDITIONING"],
             [3, 5, 0, 3, 3, "LATENT"], [4, 60, 0, 6, 0, "*"]]  # fmt: skip
    return {"nodes": [sampler, negative, latent, *nodes], "links": links, "version": 0.4}


DRAWN: list[tuple[list[dict[str, Any]], str | None]] = [
    ([{"id": 6, "type": "CLIPTextEncode", "mode": 0, "widgets_values": [NURSE]}], NURSE),
    ([{"id": 6, "type": "CLIPTextEncode", "widgets_values": [NURSE], "inputs": [
        {"name": "text", "widget": {"name": "text"}, "link": None}]}], NURSE),
    ([{"id": 6, "type": "CLIPTextEncodeFlux", "widgets_values": ["nurse", NURSE, 3.5]}], NURSE),
    ([{"id": 6, "type": "CLIPTextEncodeSDXL", "widgets_values": [1, 1, 0, 0, 1, 1, NURSE, "x"]}],
     NURSE),
    ([{"id": 6, "type": "CLIPTextEncode", "widgets_values": ["old"], "inputs": [
        {"name": "text", "widget": {"name": "text"}, "link": 4}]},
      {"id": 60, "type": "PrimitiveNode", "widgets_values": [NURSE, "fixed"]}], NURSE),
    ([{"id": 6, "type": "Reroute", "inputs": [{"name": "", "link": 4}]},
      {"id": 60, "type": "CLIPTextEncode", "widgets_values": [NURSE]}], NURSE),
    ([{"id": 6, "type": "ControlNetApply", "mode": 4, "inputs": [
        {"name": "conditioning", "link": 4}]},
      {"id": 60, "type": "CLIPTextEncode", "widgets_values": [NURSE]}], NURSE),
    ([{"id": 6, "type": "CLIPTextEncode", "widgets_values": ["a {nurse|judge}"]}], None),
    ([{"id": 6, "type": "CLIPTextEncode", "mode": 2, "widgets_values": [NURSE]}], None),
    ([{"id": 6, "type": "Unknown", "widgets_values": [NURSE]}], None),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "right"), DRAWN)
def test_a_drawing_alone(nodes: list[dict[str, Any]], right: str | None) -> None:
    """Where the graph that ran was not kept."""
    assert prompts.embedded(png({"workflow": json.dumps(drawing(*nodes))})) == right


@pytest.mark.parametrize(
    "drawn", [{}, {"nodes": 3}, {"nodes": [3, {}]}, {"nodes": [{"id": 1, "inputs": 3}], "links": 4},
              {"nodes": [{"id": [1], "type": 3, "inputs": [{"name": "positive", "link": []}]}]}],
)  # fmt: skip
def test_a_drawing_of_something_else(drawn: dict[str, Any]) -> None:
    """Nothing, and no error."""
    assert prompts.from_texts({"workflow": json.dumps(drawn)}) is None


UUID = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"


@pytest.mark.parametrize(
    ("name", "right"),
    [
        (f"user_a_photo_of_a_nurse_{UUID}.png", NURSE),
        (f"user_a_photo_of_a_nurse_{UUID}_2.webp", NURSE),
        (f"user_a_photo_of_a_nurse_--ar_169_--v_6_{UUID}.png", NURSE),
        ("DALL·E 2023-10-05 12.34.56 - a photo of a nurse.png", NURSE),
        ("DALL-E 2023-10-05 12.34.56 - a photo of a nurse (3).png", NURSE),
        ("DALL·E 2024-01-05 12.34.56 - a photo of a nurse.webp", NURSE),
        ("Firefly a photo of a nurse 12345.jpg", NURSE),
        ("Firefly_a photo of a nurse_12345.jpg", NURSE),
        ("a photo of a nurse_0003 (1).png", NURSE), (f"{NURSE}/{UUID}.png", NURSE),
        (f"{NURSE}/00012-1234567.png", NURSE), (f"{NURSE}/ComfyUI_00012_.png", NURSE),
        (f"{UUID}.png", None), ("00012-1234567.png", None), ("ComfyUI_00012_.png", None),
        ("2024-03-05/00012-1234567.png", None), ("images/0003.png", None), ("outputs/a/1.png", "a"),
        ("d41d8cd98f00b204e9800998ecf8427e.jpg", None),
        ("ChatGPT Image Apr 2, 2025, 10_11_12 AM.png", None),
        ("Gemini_Generated_Image_x1y2.png", None), ("train/0.png", None),
        ("download (3).png", None),
    ],
)  # fmt: skip
def test_names_of_each_service(name: str, right: str | None) -> None:
    """Users, dates and identifiers are taken off; names that say nothing give nothing."""
    assert prompts.from_name(name) == right


@pytest.mark.parametrize("key", ["parameters", "prompt", "Description", "Dream", "sd-metadata"])
@pytest.mark.parametrize(
    "text", [" " * 190_000, "x" + " \t" * 90_000 + "y", "Steps: 1 " * 20_000, "[" * 190_000,
             " --" * 60_000, "Steps: 1, A" + " " * 180_000, "\n" * 190_000, ", " * 90_000],
    ids=["blanks", "tabs", "steps", "brackets", "flags", "cells", "lines", "commas"],
)  # fmt: skip
def test_long_texts_take_no_time(key: str, text: str) -> None:
    """Every pattern reads a text in proportion to its length."""
    began = time.process_time()
    prompts.from_texts({key: text})
    assert time.process_time() - began < 2


@pytest.mark.parametrize("n", [10, 70, 300, 5000])
@pytest.mark.parametrize("kind", ["Reroute", "ConditioningCombine"])
def test_long_chains_of_a_graph(kind: str, n: int) -> None:
    """A text behind some nodes is found; one behind more, or doubled without end, gives none."""
    keys = ("conditioning_1", "conditioning_2") if kind == "ConditioningCombine" else ("",)
    nodes: dict[str, Any] = {
        str(i): {"class_type": kind, "inputs": {k: [str(i + 1), 0] for k in keys}} for i in range(n)
    }
    nodes[str(n)] = {"class_type": "CLIPTextEncode", "inputs": {"text": "a nurse"}}
    nodes["k"] = {
        "class_type": "KSampler",
        "inputs": {"positive": ["0", 0], "latent_image": ["e", 0]},
    }
    nodes["e"] = {"class_type": "EmptyLatentImage", "inputs": {}}
    found = graphs.from_graph(nodes)
    most = 80 if kind == "Reroute" else 12
    assert found is None if n > most else str(found).startswith("a nurse")
