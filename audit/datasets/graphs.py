"""The prompt in a graph of ComfyUI: the text behind the pass of sampling that starts an image.

A graph is untrusted: it may loop, and nothing in it is run. What a node writes that makes text of
its own, such as a language model or an unresolved wildcard, is unknown and gives no prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MAX_NODES = 400
"""Nodes of a graph that are followed to a text."""
MAX_CHAIN = 80
"""Nodes between a pass of sampling and its text, one behind the other."""
MAX_LENGTH = 100_000
"""Characters of a text that is joined."""
TEXTS = (
    "populated_text", "t5xxl", "text_g", "clip_g", "text_l", "text", "string", "value", "prompt",
    "clip_l", "mt5xl", "bert", "llama", "text_0", "positive_prompt",
)  # fmt: skip
"""Inputs with a text, the most complete first: where several encoders read one, they differ."""
LINKS = ("positive", "conditioning", "cond1", "guider", "basic_pipe", "pipe", "ctx", "context",
         "base_ctx", "any", "anything", "input", "source", "")  # fmt: skip
"""Inputs that lead to a node with a text."""
BESIDE = {
    "positive", "negative", "model", "clip", "vae", "conditioning", "guider", "sigmas", "noise",
    "sampler", "control_net", "text", "seed",
}  # fmt: skip
"""Inputs of a pass of sampling that are not the image that it starts from."""
_JOINS = re.compile(r"concat|join|combine|append|merge", re.I)
_ORDERED = re.compile(r"(?:text|string|str|prompt|input)_?(?P<place>[a-z]|\d+)$", re.I)
_MAKES_TEXT = re.compile(
    r"replace|regex|random|generate|generator|llm|ollama|gpt|gemini|florence|caption|translat|wildcard|split|"
    r"substring|interrogat|tagger|style|find|trim|magic|enhance|expand|rewrite|improve",
    re.I,
)
"""Nodes whose text is not the one that they are given."""
_TEMPLATE = re.compile(r"\{[^{}]*\|[^{}]*\}|__[\w\-/*]+__")
"""Wildcards that were not resolved."""

Nodes = Mapping[str, Mapping[str, Any]]


def from_graph(graph: Mapping[str, Any]) -> str | None:
    """The positive text of a graph as ComfyUI runs it; None where it has none, or several.

    Passes that refine, enlarge or repair the image of another pass have prompts of their own, which
    are not the image's. A graph that starts two images from two texts says neither.
    """
    nodes = {
        str(k): v
        for k, v in graph.items()
        if isinstance(v, Mapping) and isinstance(v.get("inputs"), Mapping)
    }
    reader = _Reader(nodes)
    starts = _starts(nodes)
    if starts:
        found = {reader.of_node(s) for s in starts}
        return _one_line(found.pop()) if len(found) == 1 else None
    for id, node in nodes.items():  # loaders and contexts, which some samplers read
        if "positive" in node["inputs"] and (text := _one_line(reader.of_node(id))):
            return text
    return None


def _one_line(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None


def _kind(node: Mapping[str, Any]) -> str:
    return str(node.get("class_type", ""))


def _starts(nodes: Nodes) -> list[str]:
    """The passes that start the images that are saved, or all where none says that it saves."""
    passes = {k for k, n in nodes.items() if _samples(n)}
    saved = [k for k, n in nodes.items() if re.search("save", _kind(n), re.I)]
    last = _nearest(nodes, saved, passes) or sorted(passes)
    found: dict[str, None] = {}
    for one in last:
        seen = {one}
        while before := [b for b in _nearest(nodes, [one], passes) if b not in seen]:
            one = before[0]
            seen.add(one)
        found[one] = None
    return list(found)


def _samples(node: Mapping[str, Any]) -> bool:
    """Whether a node is a pass of sampling with a prompt."""
    inputs = node["inputs"]
    prompted = _is_link(inputs.get("positive")) or _is_link(inputs.get("guider"))
    latent = any("latent" in k or k == "samples" for k in inputs)
    return prompted and (latent or "sampler" in _kind(node).lower())


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int)


def _nearest(nodes: Nodes, ids: Iterable[str], passes: set[str]) -> list[str]:
    """The passes whose images come first on the way back from some nodes."""
    found: dict[str, None] = {}
    seen, ahead = set(ids), list(ids)
    while ahead:
        for key, value in nodes[ahead.pop(0)]["inputs"].items():
            if key in BESIDE or not _is_link(value) or str(value[0]) not in nodes:
                continue
            one = str(value[0])
            if one in passes:
                found[one] = None
            elif one not in seen:
                seen.add(one)
                ahead.append(one)
    return list(found)


class _Reader:
    """Texts of nodes; each node is visited once, even if the graph has cycles."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._known: dict[str, str | None] = {}
        self._inside: set[str] = set()

    def of_node(self, id: str) -> str | None:
        """The text that a node passes on; empty for none, None where it is unknown."""
        if id in self._known:
            return self._known[id]
        within = len(self._inside)
        if within >= MAX_CHAIN or len(self._known) + within >= MAX_NODES:
            self._known[id] = None  # each node is asked once, however many lead to it
            return None
        self._inside.add(id)
        node = self._nodes[id]
        found = self._read(_kind(node), node["inputs"])
        if found is not None and _TEMPLATE.search(found):
            found = None
        self._inside.discard(id)
        self._known[id] = found
        return found

    def _read(self, kind: str, inputs: Mapping[str, Any]) -> str | None:
        """The text of a node by its kind and its inputs."""
        for shown in ("populated_text", "result", "text_0"):
            if isinstance(inputs.get(shown), str) and inputs[shown].strip():
                return str(inputs[shown])
        if "zeroout" in kind.lower():
            return None
        conditioned = any(k in LINKS[:2] and self._leads(inputs[k]) for k in inputs)
        if _MAKES_TEXT.search(kind) and not conditioned:
            plain = inputs.get("wildcard_text")  # without wildcards it is the text
            return plain if isinstance(plain, str) and plain.strip() else None
        if "switch" in kind.lower():
            return self._value(inputs.get(f"input{inputs.get('select')}"))
        together = [k for k in inputs if k.startswith("conditioning") and self._leads(inputs[k])]
        if len(together) > 1:  # the first of Concat is what the second is appended to
            parts = sorted(together, key=lambda k: k.replace("_to", "_0").replace("_from", "_1"))
            return self._joined(inputs, parts, " " if "concat" in kind.lower() else " AND ")
        ordered = [k for k in inputs if _ORDERED.match(k)]
        if len(ordered) > 1 and (_JOINS.search(kind) or "string" in kind.lower()):
            if str(inputs.get("action", "append")) != "append":
                return None
            given = inputs.get("delimiter", inputs.get("separator", " "))
            return self._joined(inputs, sorted(ordered, key=_place), _spaced(given))
        return self._first(inputs, [*TEXTS, *LINKS, *sorted(k for k in inputs if k[:12] ==
                                                            "conditioning")])  # fmt: skip

    def _first(self, inputs: Mapping[str, Any], keys: Sequence[str]) -> str | None:
        """The text of the first input that has one; None where that one is unknown."""
        found: str | None = None
        for key in keys:
            value = inputs.get(key)
            if not (isinstance(value, str) or self._leads(value)):
                continue
            found = self._value(value)
            if found is None or found.strip():
                return found
        return found

    def _leads(self, value: Any) -> bool:
        """Whether a value is a link to a node that is not being read already."""
        return _is_link(value) and str(value[0]) in self._nodes.keys() - self._inside

    def _value(self, value: Any) -> str | None:
        """A text, or that behind a link."""
        if isinstance(value, str):
            return value
        return self.of_node(str(value[0])) if self._leads(value) else None

    def _joined(self, inputs: Mapping[str, Any], keys: Sequence[str], between: str) -> str | None:
        """Several texts as one; None where one is unknown."""
        parts = [self._value(inputs[k]) for k in keys]
        known = [p for p in parts if p is not None]
        if sum(map(len, known)) > MAX_LENGTH:  # a node may be joined to itself, again and again
            return None
        return between.join(p for p in known if p.strip()) if len(known) == len(parts) else None


def _place(key: str) -> tuple[int, str]:
    match = _ORDERED.match(key)
    place = match["place"].lower() if match else ""
    return (int(place), "") if place.isdigit() else (0, place)


def _spaced(delimiter: Any) -> str:
    """What stands between two texts; a line break may be written as two characters."""
    return str(delimiter).replace("\\n", "\n") if isinstance(delimiter, str) else " "


WIDGETS: Mapping[str, Sequence[str]] = {
    "CLIPTextEncodeSDXL": ("width", "height", "crop_w", "crop_h", "target_width", "target_height",
                           "text_g", "text_l"),
    "CLIPTextEncodeSDXLRefiner": ("ascore", "width", "height", "text"),
    "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"),
    "CLIPTextEncodeSD3": ("clip_l", "clip_g", "t5xxl"),
    "StringConcatenate": ("string_a", "string_b", "delimiter"),
    "ImpactWildcardEncode": ("wildcard_text", "populated_text"),
    "ImpactWildcardProcessor": ("wildcard_text", "populated_text"),
}  # fmt: skip
"""Names of the values that the drawing of a graph keeps without names."""
MUTED, BYPASSED = 2, 4


def from_workflow(drawing: Mapping[str, Any]) -> str | None:
    """The positive text of a graph as ComfyUI draws it; None for more than is understood.

    A drawing keeps what the user typed, with its wildcards, and nodes that are switched off.
    """
    listed, links = drawing.get("nodes"), drawing.get("links")
    if not (isinstance(listed, list) and isinstance(links, list)) or drawing.get("definitions"):
        return None
    nodes = [n for n in listed if isinstance(n, Mapping) and n.get("mode") != MUTED]
    origin = {
        link[0]: [str(link[1]), link[2]]
        for link in links
        if isinstance(link, list) and len(link) >= 5 and isinstance(link[0], int)
    }
    graph = {str(n.get("id")): _as_run(n, origin) for n in nodes}
    return from_graph(graph)


def _as_run(node: Mapping[str, Any], origin: Mapping[int, list[Any]]) -> dict[str, Any]:
    """A node of a drawing with its inputs by name."""
    listed = node.get("inputs")
    slots = [s for s in listed if isinstance(s, Mapping)] if isinstance(listed, list) else []
    links = {str(s.get("name")): origin[s["link"]] for s in slots
             if isinstance(s.get("link"), int) and s["link"] in origin}  # fmt: skip
    kind = str(node.get("type", ""))
    if node.get("mode") == BYPASSED:
        through = [v for k, v in links.items() if k in LINKS or k.startswith("conditioning")]
        return {"class_type": "Reroute", "inputs": {"": through[0]} if through else {}}
    values = node.get("widgets_values")
    if isinstance(values, Mapping):
        typed = dict(values)
    elif isinstance(values, list):
        names = WIDGETS.get(kind) or [str(s.get("name")) for s in slots if "widget" in s]
        if not names and re.search("text|string|prompt|primitive", kind, re.I):
            names = ["text"]
        typed = dict(zip(names, values, strict=False))
    else:
        typed = {}
    return {"class_type": kind, "inputs": {**typed, **links}}
