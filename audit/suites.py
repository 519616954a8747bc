"""Suites: data that a person edits without Python. Read, check, and expand to samples.

A suite is a TOML file with prompts, attributes, references and mitigations; its tables are CSV
files beside it. Everything is checked here, before a picture is drawn.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from audit.errors import UserError, unknown
from audit.mitigate.quota import quota
from audit.records import (
    BASELINE,
    Attribute,
    Mitigation,
    Prompt,
    Reference,
    Sample,
    Settings,
    Suite,
    sample_id,
)

Rewriter = Callable[[str, str, Mapping[str, str], Mapping[str, Any]], str]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Block(_Strict):
    id: str = Field(min_length=1)
    purpose: Literal["representation", "replication"]
    templates: list[str] = []
    subjects: list[str] = []
    file: str | None = None
    seeds: int = Field(ge=1)
    attributes: list[str] = []
    states: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_source(self) -> _Block:
        if bool(self.file) == bool(self.templates):
            raise ValueError("give either `file`, or `templates` with `subjects`")
        if self.templates and not self.subjects:
            raise ValueError("`templates` need `subjects`")
        return self


class _Attribute(_Strict):
    classes: list[str] = Field(min_length=2)
    threshold: float = Field(0.0, ge=0, le=1)
    texts: dict[str, list[str]] = {}
    templates: list[str] = []


class _Reference(_Strict):
    name: str = Field(min_length=1)
    label: str
    file: str | None = None
    uniform: bool = False


class _Mitigation(_Strict):
    name: str = Field(min_length=1)
    method: str
    blocks: list[str]
    options: dict[str, Any] = {}


class _Person(_Strict):
    person: list[str] = Field(min_length=1)
    empty: list[str] = Field(min_length=1)


class _Suite(_Strict):
    name: str = Field(pattern=r"^[a-z0-9_-]+$")
    title: str
    question: str
    corpus: str | None = None
    subject_attribute: str | None = None
    gate: _Person | None = None
    blocks: list[_Block] = Field(min_length=1)
    attributes: dict[str, _Attribute] = {}
    references: list[_Reference] = []
    mitigations: list[_Mitigation] = []
    quick: dict[str, int] = {}


def article(noun: str) -> str:
    """The noun with its indefinite article, by its first letter."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def folder() -> Path:
    """Where the shipped suites are: inside an installed package, or at the top of a checkout."""
    inside = Path(__file__).parent / "_prompts"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "prompts"


def list_suites() -> list[tuple[str, str]]:
    """Names and titles of the shipped suites."""
    found = [(p.stem, _parse(p).title) for p in sorted(folder().glob("*.toml"))]
    return found


def read_suite(name: str, quick: bool = False) -> Suite:
    """A shipped suite by name, or a TOML file by path; UserError says what is wrong and where.

    With `quick`, blocks take the seeds of the suite's own `[quick]` table.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = folder() / f"{name}.toml"
        if not path.is_file():
            raise unknown("suite", name, [s for s, _ in list_suites()])
    elif not path.is_file():
        raise UserError(f"There is no suite file {path}. Give a path to a TOML file.")
    return _build(_parse(path), path, quick)


def _parse(path: Path) -> _Suite:
    try:
        return _Suite.model_validate(tomllib.loads(path.read_text("utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}. Correct that line.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}. Save it as UTF-8 text.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(x) for x in first["loc"]) or "the file"
        what = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            model = _model_at(first["loc"][:-1])
            raise UserError(
                f"{path}: {unknown('key', str(first['loc'][-1]), model.model_fields)} (at {where})"
            ) from error
        raise UserError(f"{path}: {where}: {what}. Correct that entry.") from error


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    models: dict[str, type[BaseModel]] = {
        "blocks": _Block, "attributes": _Attribute, "references": _Reference,
        "mitigations": _Mitigation, "gate": _Person,
    }  # fmt: skip
    return models.get(str(location[0]), _Suite) if location else _Suite


def _build(raw: _Suite, path: Path, quick: bool) -> Suite:
    for b in raw.blocks:
        for a in b.attributes:
            if a not in raw.attributes:
                raise UserError(f"{path}: block {b.id}: {unknown('attribute', a, raw.attributes)}")
    prompts = tuple(p for b in raw.blocks for p in _prompts(b, path, raw.quick if quick else {}))
    seen: set[str] = set()
    for p in prompts:
        if p.id in seen:
            raise UserError(f"{path}: two prompts have the id {p.id!r}. Give each its own.")
        seen.add(p.id)
    subjects = {p.subject for p in prompts if p.purpose == "representation"}
    attributes = tuple(_attribute(n, a, path) for n, a in raw.attributes.items())
    references = tuple(_reference(r, attributes, subjects, path) for r in raw.references)
    blocks = [b.id for b in raw.blocks]
    for m in raw.mitigations:
        for block in m.blocks:
            if block not in blocks:
                raise UserError(f"{path}: mitigation {m.name}: {unknown('block', block, blocks)}")
        target = m.options.get("target", "uniform")
        if target not in [r.name for r in references]:
            names = [r.name for r in references]
            raise UserError(f"{path}: mitigation {m.name}: {unknown('target', target, names)}")
        if m.name == BASELINE:
            raise UserError(f"{path}: a mitigation cannot be called {BASELINE!r}; rename it.")
    gate = raw.gate
    return Suite(
        name=raw.name,
        title=raw.title,
        question=raw.question,
        prompts=prompts,
        attributes=attributes,
        references=references,
        mitigations=tuple(
            Mitigation(m.name, m.method, m.options, tuple(m.blocks)) for m in raw.mitigations
        ),
        person_texts=tuple(gate.person) if gate else (),
        empty_texts=tuple(gate.empty) if gate else (),
        corpus=raw.corpus,
        subject_attribute=raw.subject_attribute,
    )


def _prompts(block: _Block, path: Path, quick: Mapping[str, int]) -> list[Prompt]:
    seeds = quick.get(block.id, block.seeds)
    common: dict[str, Any] = {
        "block": block.id, "purpose": block.purpose, "seeds": seeds,
        "attributes": tuple(block.attributes), "states": block.states,
    }  # fmt: skip
    if block.file is None:
        return [
            Prompt(
                id=f"{block.id}/{subject}/{i}",
                text=template.format(subject=subject, a_subject=article(subject)),
                subject=subject,
                **common,
            )
            for subject in block.subjects
            for i, template in enumerate(block.templates)
        ]
    table = _table(path.parent / block.file, ("id", "text"))
    return [
        Prompt(
            id=f"{block.id}/{row['id']}",
            text=str(row["text"]),
            subject=str(row.get("subject", "") or ""),
            repeats=None if pd.isna(row.get("repeats")) else int(row["repeats"]),
            **common,
        )
        for row in table.to_dict("records")
    ]


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except FileNotFoundError as error:
        raise UserError(f"There is no table {path}. Put the file beside the suite.") from error
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"{path} cannot be read as CSV: {first}. Correct the file.") from error
    lacking = [c for c in columns if c not in table.columns]
    if lacking:
        raise UserError(f"{path} lacks the column {lacking[0]!r}. It needs {', '.join(columns)}.")
    if table[list(columns)].isna().any(axis=None):
        row = int(table[list(columns)].isna().any(axis=1).to_numpy().argmax()) + 2
        raise UserError(f"{path}, line {row}: a value is missing. Fill it in or take the line out.")
    return table


def _attribute(name: str, raw: _Attribute, path: Path) -> Attribute:
    if bool(raw.texts) == bool(raw.templates):
        raise UserError(f"{path}: attribute {name}: give either `texts` or `templates`.")
    texts = {
        c: tuple(raw.texts.get(c, ()))
        or tuple(t.format(value=c, a_value=article(c)) for t in raw.templates)
        for c in raw.classes
    }
    for c in raw.classes:
        if not texts[c]:
            raise UserError(f"{path}: attribute {name}: the class {c!r} has no texts. Add some.")
    return Attribute(name, tuple(raw.classes), texts, raw.threshold)


def _reference(
    raw: _Reference, attributes: tuple[Attribute, ...], subjects: set[str], path: Path
) -> Reference:
    if bool(raw.file) == raw.uniform:
        raise UserError(f"{path}: reference {raw.name}: give either `file` or `uniform = true`.")
    if raw.file is None:
        even = {
            (s, a.name, c): 1 / len(a.classes)
            for s in subjects
            for a in attributes
            for c in a.classes
        }
        return Reference(raw.name, raw.label, even, "declared")
    table = _table(path.parent / raw.file, ("subject", "attribute", "value", "share", "source"))
    shares = {
        (str(r.subject), str(r.attribute), str(r.value)): float(r.share)
        for r in table.itertuples(index=False)
    }
    totals = table.groupby(["subject", "attribute"]).share.sum()
    wrong = totals[(totals - 1).abs() > 0.01]
    if len(wrong):
        subject, attribute = wrong.index[0]
        raise UserError(
            f"{path.parent / raw.file}: the {attribute} shares of {subject} sum to "
            f"{wrong.iloc[0]:.3f}, not 1. Correct them."
        )
    return Reference(
        raw.name, raw.label, shares, "; ".join(sorted(set(table.source.astype(str))))[:400]
    )


def with_seeds(suite: Suite, seeds: int) -> Suite:
    """The suite with another number of images for every prompt."""
    from dataclasses import replace

    return replace(suite, prompts=tuple(replace(p, seeds=seeds) for p in suite.prompts))


def noise_seed(text: str, index: int) -> int:
    """63-bit seed of the noise of image `index` of a prompt: depends on nothing else.

    It is taken from the original text, so that a rewritten prompt starts from the same noise.
    """
    digest = hashlib.sha256(f"{index}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def target_of(
    suite: Suite, mitigation: Mitigation, prompt: Prompt, attribute: str
) -> dict[str, float]:
    """The declared target of a mitigation for a prompt: class to share; even where it is silent."""
    classes = next(a.classes for a in suite.attributes if a.name == attribute)
    name = mitigation.options.get("target", "uniform")
    reference = next(r for r in suite.references if r.name == name)
    shares = {c: reference.share(prompt.subject, attribute, c) for c in classes}
    if not np.isfinite(list(shares.values())).all():
        return dict.fromkeys(classes, 1 / len(classes))
    return shares


def targets(suite: Suite, mitigation: Mitigation, attribute: Attribute) -> dict[str, float]:
    """Per subject that a mitigation rewrites: the declared share of the attribute's first class."""
    first = attribute.classes[0]
    return {
        p.subject: target_of(suite, mitigation, p, attribute.name)[first]
        for p in suite.prompts
        if p.block in mitigation.blocks and attribute.name in p.attributes
    }


def expand(suite: Suite, settings: Settings, rewriters: Mapping[str, Rewriter]) -> list[Sample]:
    """The plan: one sample per prompt, seed and arm, baseline first, in the suite's order.

    `rewriters` maps mitigation names to functions. An arm shares its noise with the baseline; where
    it leaves the text alone, it shares the image too: ids may repeat, rows do not.
    """
    samples = []
    for p in suite.prompts:
        for i in range(p.seeds):
            seed = noise_seed(p.text, i)
            samples.append(Sample(sample_id(p.text, seed, settings), p.id, BASELINE, seed, p.text))
    for m in suite.mitigations:
        for p in suite.prompts:
            if p.block in m.blocks:
                samples += _arm(suite, m, p, settings, rewriters[m.name])
    return samples


def _arm(
    suite: Suite, m: Mitigation, p: Prompt, settings: Settings, rewrite: Rewriter
) -> list[Sample]:
    attribute = m.options.get("attribute")
    draws: list[dict[str, str]] = [{} for _ in range(p.seeds)]
    if m.method == "inject" and attribute:
        rng = np.random.default_rng(noise_seed(f"{m.name}\0{p.text}", 0))
        values = quota(target_of(suite, m, p, attribute), p.seeds, rng)
        draws = [{attribute: v} for v in values]
    samples = []
    for i, drawn in enumerate(draws):
        text = rewrite(p.text, p.subject, drawn, m.options)
        seed = noise_seed(p.text, i)
        samples.append(Sample(sample_id(text, seed, settings), p.id, m.name, seed, text, drawn))
    return samples
