"""Plain English: phrases that native readers stumble over are not used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OUTSIDE = ("audit/report/templates", "audit/world/assets", "docs/reference")
"""Folders that are not checked: report templates, third-party art, and generated pages."""
GAP = r'(?:\s|\n\s*#|"\s*\n\s*[fr]?")+'
"""Between two words: space, a new comment line, or the end of a string literal."""
PHRASES: dict[str, str] = {
    "for what is none": "for anything else",
    r"(?<!there\s)\bis none\b": "`is not`, `there is no`, or `is missing`",
    r"(?<!there\s)\bare none\b": "`are not`, `there are no`, or `are missing`",
    r"\bcan(?:not)? be had\b": "`is (not) available`, or `could not be downloaded`",
    r"\bnobody (?:has|knows)\b": "`unknown`, or name who would have to",
    r"\bwhoever\b": "name the role: the user, a reader, the model's author",
    r"\bsomebody\b": "name the role: the user, a person, others",
    ", so that ": "`so`, a full stop, or `because` the other way round",
    r"\banew\b": "again",
    r"\bstrangers?'": "untrusted, or user-supplied",
    r"\bfor ever\b": "forever",
    r"\bby heart\b": "memorized",
    "called a copy": "flagged as a copy",
    "calls copies": "flags copies",
    r"\bhangs? on\b": "depends on",
    r"\bin silence\b": "silently",
}
"""Regular expressions of phrases to avoid, with replacements; a space matches GAP."""
KEPT = {
    "audit/design/language_model/questions.py": r"whoever is shown may be of any",
    "audit/design/mitigations/gate_text.py": r'"somebody"',
    "audit/engine/levels.py": r", so that its noise is known without the model",
}
"""Data that must not change: a question that is hashed, a word list, a reason in a table."""
WAITING: tuple[str, ...] = (
    "audit/datasets/embeddings.py",
    "audit/datasets/find.py",
    "audit/datasets/prompts.py",
    "audit/datasets/source.py",
    "audit/datasets/table.py",
    "audit/evidence/attributes/colour.py",
    "audit/evidence/attributes/faces.py",
    "audit/evidence/attributes/pictures.py",
    "audit/evidence/attributes/skin_tone.py",
    "audit/evidence/attributes/zero_shot.py",
    "audit/evidence/copies/approximate.py",
    "audit/evidence/copies/chooser.py",
    "audit/evidence/copies/complexity.py",
    "audit/evidence/copies/decision.py",
    "audit/evidence/copies/edges.py",
    "audit/evidence/copies/edits.py",
    "audit/evidence/copies/index.py",
    "audit/evidence/copies/local.py",
    "audit/evidence/copies/merge.py",
    "audit/evidence/copies/near_duplicates.py",
    "audit/evidence/copies/recall.py",
    "audit/evidence/copies/shards.py",
    "audit/evidence/copies/side.py",
    "audit/evidence/copies/training_set.py",
    "audit/evidence/encoders/batches.py",
    "audit/evidence/encoders/copies.py",
    "audit/evidence/encoders/dino.py",
    "audit/evidence/encoders/named.py",
    "audit/evidence/encoders/openclip.py",
    "audit/evidence/encoders/phash.py",
    "audit/evidence/encoders/pixel_space.py",
    "audit/evidence/encoders/sscd.py",
    "audit/evidence/encoders/tiles.py",
    "audit/evidence/labels/draw.py",
    "audit/evidence/labels/sheet.py",
    "audit/findings/arms.py",
    "audit/findings/copying_doses.py",
    "audit/findings/costs.py",
    "audit/findings/detectors.py",
    "audit/findings/distances.py",
    "audit/findings/doses.py",
    "audit/findings/following.py",
    "audit/findings/gates.py",
    "audit/findings/intersections.py",
    "audit/findings/pairs.py",
    "audit/findings/templates.py",
    "audit/findings/whole_set.py",
    "audit/findings/wording.py",
    "audit/records.py",
    "audit/registry.py",
    "audit/report/charts.py",
    "audit/report/copies.py",
    "audit/report/effects.py",
    "audit/report/exports/markdown.py",
    "audit/report/from_folder.py",
    "audit/report/page.py",
    "audit/report/search.py",
    "audit/report/shares.py",
    "audit/report/thumbnails.py",
    "audit/report/wording.py",
    "audit/runs/comparing.py",
    "audit/runs/detecting.py",
    "audit/runs/extraction.py",
    "audit/runs/indexing.py",
    "audit/runs/labelling.py",
    "audit/runs/matching.py",
    "audit/runs/paraphrasing.py",
    "audit/runs/reader_errors.py",
    "audit/runs/rounds.py",
    "audit/runs/searching.py",
    "audit/runs/writer.py",
    "audit/stats/agreement.py",
    "audit/stats/betting.py",
    "audit/stats/components.py",
    "audit/stats/detection.py",
    "audit/stats/directional_amplification.py",
    "audit/stats/diversity.py",
    "audit/stats/error_control.py",
    "audit/stats/fixed_width.py",
    "audit/stats/image_quality.py",
    "audit/stats/intersections.py",
    "audit/stats/labels.py",
    "audit/stats/likelihood_copying.py",
    "audit/stats/neighbours.py",
    "audit/stats/noninferiority.py",
    "audit/stats/paired.py",
    "audit/stats/power.py",
    "audit/stats/risk_coverage.py",
    "audit/stats/selection.py",
    "audit/store.py",
    "audit/view/app.py",
    "audit/view/desk.py",
    "audit/view/guard.py",
    "audit/view/journal.py",
    "audit/view/pictures.py",
    "audit/view/query.py",
    "audit/view/queue.py",
    "audit/view/serve.py",
    "audit/view/table.py",
    "audit/view/walls.py",
    "audit/world/dataset.py",
    "audit/world/planting.py",
    "audit/world/render.py",
    "audit/world/tokens.py",
    "audit/world/train/classifier.py",
    "audit/world/train/descriptor.py",
    "audit/world/train/loop.py",
    "audit/world/train/recipes.py",
)
"""Files that still have to be rewritten. Remove a file once it passes; never add one."""


def files() -> list[str]:
    """Python and Markdown of the package and its documentation, by path."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    for folder in ("audit", "docs"):
        found += [p for p in (ROOT / folder).rglob("*") if p.suffix in (".py", ".md")]
    names = sorted(p.relative_to(ROOT).as_posix() for p in found)
    return [n for n in names if not n.startswith(OUTSIDE)]


@cache
def text(name: str) -> str:
    """A file without the data that it may keep."""
    whole = (ROOT / name).read_text("utf-8")
    return re.sub(KEPT[name], "", whole) if name in KEPT else whole


def places(phrase: str, name: str) -> Iterator[int]:
    """Lines of a file where a phrase begins; capitals count for `none`, because of `None`."""
    flags = re.NOFLAG if "none" in phrase else re.IGNORECASE
    for match in re.finditer(phrase.strip().replace(" ", GAP), text(name), flags):
        yield text(name).count("\n", 0, match.start()) + 1


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_file_says(phrase: str) -> None:
    """Each place is named with its line, and with what to write instead."""
    hits = [f"{name}:{line}" for name in files() if name not in WAITING
            for line in places(phrase, name)]  # fmt: skip
    assert not hits, f"Write {PHRASES[phrase]} in place of /{phrase}/:\n" + "\n".join(hits)


def test_a_file_waits_only_while_it_has_to() -> None:
    """Files that pass, or are gone, leave WAITING."""
    there = set(files())
    done = [name for name in WAITING
            if name not in there or not any(any(places(p, name)) for p in PHRASES)]  # fmt: skip
    assert not done, "Take these out of WAITING:\n" + "\n".join(done)
