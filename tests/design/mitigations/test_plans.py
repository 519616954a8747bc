"""Plans of earlier versions: ids and bytes of plan.jsonl stay, so run folders stay valid.

The files in `plans/` were written by version 0.1.0 before `Change` replaced a dict, and
again, with the same code for ids and bytes, when the world's captions changed. To write a plan
for a new mitigation, run `python -m tests.design.mitigations.test_plans NAME`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from audit import registry
from audit.design import suites
from audit.design.mitigations.specs import with_arms
from audit.records import Prompt, Sample, Settings, Suite
from audit.store import RunFolder

HERE = Path(__file__).parent / "plans"
PLAIN = Settings("embedded", "r1", 20, 3.0, 16)
SPOKEN = replace(PLAIN, negative="blurry", guidance=6.0, size="64x64", loras=("abc@0.5",))
SPECS = (
    "inject:gender,target=planted", "inject:skin_tone", "ethical:gender", "placebo:gender",
    "neutral", "indirect", "negative:attribute=gender", "negative:a man, a boy + a girl",
    "guidance:6", "guidance:1", "fair-guidance:gender", "fair-guidance:skin_tone,scale=2.5",
    "repeat-words:2", "add-words", "add-numbers:1", "paraphrase:2,steps=4", "noise", "noise:0.5",
    "token-noise:0.9,probability=0.3", "rescale-attention", "optimise-states:rate=0.1,iterations=3",
    "guidance:9+noise", "inject:gender+noise:0.5+rescale-attention:2",
    "fair-guidance:gender+fair-guidance:skin_tone+noise", "paraphrase+rescale-attention",
    "negative:attribute=gender+negative:attribute=skin_tone+guidance:2",
    "negative:attribute=gender+optimise-states+token-noise", "noise+negative:a hat",
    "paraphrase:3+guidance:6+negative:attribute=skin_tone+optimise-states+rescale-attention",
)  # fmt: skip
CASES: Mapping[str, tuple[str, tuple[str, ...], Settings]] = {
    "lab": ("world_lab", (), PLAIN),
    "lab-negative": ("world_lab", (), SPOKEN),
    "typed": ("world_full", SPECS, PLAIN),
    "typed-negative": ("world_full", SPECS, SPOKEN),
}


def small(name: str) -> Suite:
    """Two prompts of each block with two images each, and one that the gates keep as it is."""
    suite = suites.read_suite(name)
    blocks: dict[str, list[Prompt]] = {}
    for p in suite.prompts:
        blocks.setdefault(p.block, []).append(replace(p, seeds=2))
    prompts = [p for block in blocks.values() for p in block[:2]]
    first = next(p for p in prompts if p.purpose == "representation")
    prompts.append(replace(first, id="gated", text=f"{first.text} in 1850"))
    return replace(suite, prompts=tuple(prompts))


def planned(case: str) -> list[Sample]:
    """The plan of a case."""
    name, specs, settings = CASES[case]
    suite = with_arms(small(name), specs) if specs else small(name)
    return list(suites.expand(suite, settings, registry.rewriters(suite)))


@pytest.mark.parametrize("case", CASES)
def test_a_plan_is_the_one_that_was_written_before(case: str, tmp_path: Path) -> None:
    """Byte for byte, ids included."""
    folder = RunFolder(tmp_path)
    folder.write_plan(planned(case))
    written = (tmp_path / "plan.jsonl").read_text("utf-8")
    before = (HERE / f"{case}.jsonl").read_text("utf-8")
    assert written.splitlines() == before.splitlines()
    assert written == before


@pytest.mark.parametrize("case", CASES)
def test_an_old_plan_is_read_and_written_back(case: str, tmp_path: Path) -> None:
    """What is read equals what is planned today, and comes out as it went in."""
    before = (HERE / f"{case}.jsonl").read_bytes()
    (tmp_path / "plan.jsonl").write_bytes(before)
    folder = RunFolder(tmp_path)
    read = folder.plan()
    assert read == [replace(s, drawn=dict(s.drawn)) for s in planned(case)]
    folder.write_plan(read)
    assert (tmp_path / "plan.jsonl").read_bytes() == before


def test_the_plans_hold_every_kind_of_change() -> None:
    """One change, several, none; guidance, negative prompts, and each method in the engine."""
    texts = [(HERE / f"{case}.jsonl").read_text("utf-8") for case in CASES]
    changes = [json.loads(line)["how"] for text in texts for line in text.splitlines()]
    assert {} in changes
    assert {k for c in changes for k in c} == {
        "guidance", "negative", "paraphrase", "inside", "options", "stack",
    }  # fmt: skip
    kinds = {one["inside"] for c in changes for one in c.get("stack", [c]) if "inside" in one}
    assert kinds == {
        "noise", "token-noise", "rescale-attention", "optimise-states", "fair-guidance",
    }  # fmt: skip


if __name__ == "__main__":
    for asked in sys.argv[1:]:
        RunFolder(HERE).write_plan(planned(asked))
        (HERE / "plan.jsonl").rename(HERE / f"{asked}.jsonl")
