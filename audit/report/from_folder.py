"""The report of a run, made from its folder: during the run, and again at any time later.

Both read the same files, so the same folder gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audit.errors import UserError
from audit.files import checked
from audit.records import Finding, Reference, Settings, Suite
from audit.report import language
from audit.report.evidence import Evidence
from audit.report.facts import Facts
from audit.store import RunFolder

Image = Callable[[str], np.ndarray]
"""An id to uint8[h, w, 3]."""


def keep(
    folder: RunFolder, suite: Suite, facts: Facts, pictures: bool, found: Sequence[Finding] = ()
) -> None:
    """Write to the folder what a report shows in addition to findings and tables.

    `pictures` says whether there are images: a run over labels alone has none. Of the texts of the
    findings and facts it keeps how they were composed, for other languages.
    """
    shares = [[[*k, v] for k, v in r.shares.items()] for r in suite.references]
    references = [{**asdict(replace(r, shares={})), "shares": s}
                  for r, s in zip(suite.references, shares, strict=True)]  # fmt: skip
    body = {"suite": asdict(replace(suite, references=())), "references": references,
            "facts": asdict(facts), "pictures": pictures,
            "said": language.kept(found, facts, suite.title)}  # fmt: skip
    folder.write_page_facts(json.dumps(body, indent=1, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: object) -> object:
    """Conversion of objects unknown to JSON: numpy numbers, records, paths."""
    if isinstance(value, np.generic):
        return value.item()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def render(
    folder: RunFolder,
    image: Image,
    train_image: Image | None,
    pictures: str = "all",
    out: Path | None = None,
    lang: str = language.ENGLISH,
) -> Path:
    """Write the report of a finished run to `out`, or into its folder; nothing is recomputed.

    `pictures` is one of `report.page.PICTURES`, `lang` of `language.LANGUAGES`. Raises UserError
    where the folder does not contain a finished run, or one of a version that did not keep what the
    report needs.
    """
    made = html(folder, image, train_image, pictures, lang)
    if out is None:
        return folder.write_report(made)
    from audit.files import write_atomic

    write_atomic(out, made.encode("utf-8"))
    return out


def html(
    folder: RunFolder, image: Image, train_image: Image | None, pictures: str = "all",
    lang: str = language.ENGLISH,
) -> str:  # fmt: skip
    """The report of a finished run; arguments and errors as for `render`."""
    from audit.report.page import page

    kept = folder.page_facts()
    evidence = Evidence(
        _suite(folder, kept), _settings(folder), folder.findings(), folder.read_table("attributes"),
        folder.read_table("matches"), {s.id: s for s in folder.plan()}, image,
        train_image or image, facts(folder, kept.get("facts")), folder.head().written,
        folder.left_out(),
    )  # fmt: skip
    with language.speaking(lang, _composed(folder, kept)):
        return page(evidence, pictures if kept.get("pictures", True) else "none")


def _composed(folder: RunFolder, kept: Mapping[str, Any]) -> dict[str, Any]:
    """How texts of the run were composed; nothing for runs of earlier versions."""
    try:
        return checked(dict[str, Any], kept.get("said", {}))
    except ValueError as error:
        raise _damaged(folder, "page.json", error) from error


@dataclass(frozen=True)
class _Reference:
    """A reference as `keep` writes it: shares as rows."""

    name: str
    label: str
    shares: list[tuple[str, str, str, float]]
    source: str


def _suite(folder: RunFolder, kept: Mapping[str, Any]) -> Suite:
    try:
        suite = checked(Suite, kept.get("suite"))
        rows = checked(list[_Reference], kept.get("references"))
    except ValueError as error:
        raise _damaged(folder, "page.json", error) from error
    references = tuple(
        Reference(r.name, r.label, {(s, a, v): x for s, a, v, x in r.shares}, r.source)
        for r in rows
    )
    return replace(suite, references=references)


def facts(folder: RunFolder, kept: object) -> Facts:
    """Facts as `keep` wrote them; those that are null, absent or of other versions are unknown."""
    try:
        return checked(Facts, _known(kept))
    except ValueError as error:
        what = ValueError(f"the facts of its report cannot be read ({error})")
        raise _damaged(folder, "page.json", what) from error


def _damaged(folder: RunFolder, name: str, error: ValueError) -> UserError:
    return UserError(f"{folder.path / name} is damaged: {error}. Run the same command again.")


def _known(value: object) -> object:
    """Mappings without their nulls, at any depth."""
    if isinstance(value, Mapping):
        return {k: _known(v) for k, v in value.items() if v is not None}
    return [_known(v) for v in value] if isinstance(value, list) else value


def _settings(folder: RunFolder) -> Settings:
    try:
        return checked(Settings, folder.manifest()["settings"])
    except ValueError as error:
        raise _damaged(folder, "run.json", error) from error
