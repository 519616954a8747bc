"""Prompts as people would say them: without the weights and tags of the programs that draw.

AUTOMATIC1111 and its kin read `(a nurse:1.2)`, `((a nurse))`, `[a nurse]` and `<lora:name:0.8>`,
InvokeAI `(a nurse)1.2` and `(a nurse)++`, NovelAI `{a nurse}` and `1.2::a nurse::`. What changes
while an image is drawn (`[a:b:0.5]`) or by chance (`{a|b}`) is more than one prompt, and left as it
is.
"""

from __future__ import annotations

import re

DEEPEST = 50
"""Brackets in brackets that are taken off."""
_TAG = re.compile(r"<[a-z]\w{0,20}:[^<>]{0,500}>", re.IGNORECASE)
_INNER = re.compile(
    r"\((?P<round>[^()\[\]{}]+)\)(?:[+-]{1,9}|\d{0,3}\.\d{1,9}|\d{1,3})?"
    r"|\[(?P<square>[^()\[\]{}:|]+)\]|\{(?P<curly>[^()\[\]{}|$]+)\}"
)
_WEIGHT = re.compile(r"(?P<text>.*):\s*\+?(?P<weight>\d{0,3}\.?\d{0,9})\s*", re.DOTALL)
_NOVELAI = re.compile(r"(?<![\w.])\d{0,3}\.?\d{0,9}::(?P<text>[^:]+)::")
_ESCAPED = {r"\(": "\ue000", r"\)": "\ue001", r"\[": "\ue002", r"\]": "\ue003"}
_COMMAS = re.compile(r"\s*,(?:\s*,)+\s*")


def spoken(prompt: str) -> str:
    """A prompt without weights and tags of other models; brackets that are escaped stay."""
    text = _TAG.sub("", prompt)
    for escaped, mark in _ESCAPED.items():
        text = text.replace(escaped, mark)
    text = _NOVELAI.sub(lambda m: m["text"], text)
    for _ in range(DEEPEST):
        plainer = _INNER.sub(_content, text)
        if plainer == text:
            break
        text = plainer
    for escaped, mark in _ESCAPED.items():
        text = text.replace(mark, escaped[1])
    return " ".join(_COMMAS.sub(", ", text).split()).strip(" ,")


def _content(found: re.Match[str]) -> str:
    """What is in brackets, without its weight; unchanged for a weight that leaves nothing."""
    inner = found["round"]
    if inner is None:
        return str(found["square"] or found["curly"])
    weighed = _WEIGHT.fullmatch(inner)
    if weighed is None:
        return str(inner)
    try:
        return weighed["text"] if float(weighed["weight"]) > 0 else found[0]
    except ValueError:  # a colon, and no number
        return str(inner)
