"""What personalisation gives back and moves on the embedded world (docs/personalised.md).

    python benchmarks/personalize.py --out reports        # about 2 core-hours
    python benchmarks/personalize.py --subjects 1 --trainings 5 --arms dreambooth,dreambooth-prior

Persons of the world in five scenes each, and five unseen scenes of the same persons as their twin.
Run again, it goes on where it stopped, and prints the table of a finished run at once.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

from audit.findings.personal import arms_of
from audit.records import Finding
from audit.runs import personalizing, planning
from audit.runs.options import Options
from audit.store import RunFolder
from audit.world.subjects import SIDES, write_subjects

MEASURES = ("drift", "drift-others", "copies", "lead", "fidelity", "diversity")


def cell(f: Finding | None) -> str:
    """Estimate and interval, bold where a change is shown."""
    if f is None or not math.isfinite(f.estimate):
        return "-"
    text = f"{f.estimate:.2f} [{f.low:.2f}, {f.high:.2f}]"
    return f"**{text}**" if f.verdict in ("above", "below") else text


def table(found: list[Finding], kind: str, arms: list[str]) -> str:
    """A row for each arm with claims of a kind, and a column for each measure."""
    known = {(f.arm, f.key.detail): f for f in found if f.key.kind == kind}
    groups = sorted({f.key.detail for f in found if f.key.kind == kind and f.key.attribute})
    heads = [*MEASURES, *groups]
    lines = ["| arm | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    lines += [
        f"| {arm} | " + " | ".join(cell(known.get((arm, h))) for h in heads) + " |"
        for arm in arms
        if any(a == arm for a, _ in known)
    ]
    return "\n".join(lines)


def said(text: str) -> None:
    """Print a line on stderr at once."""
    print(text, file=sys.stderr, flush=True)


def progress(step: str, done: int, total: int) -> None:
    """One line for each part of a step that is done."""
    if done == total or done % max(1, total // 20) == 0:
        said(f"{time.strftime('%H:%M:%S')} {step} {done}/{total}")


def main() -> None:
    """Render the subjects, make the run, and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("reports"))
    parser.add_argument("--subjects", type=int, default=3)
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--trainings", type=int, default=3)
    parser.add_argument("--arms", default=",".join(personalizing.KINDS))
    parser.add_argument("--doses", default=",".join(map(str, personalizing.EMBEDDED.doses)))
    parser.add_argument("--steps", type=int, default=20, help="of sampling")
    for name in ("rate", "lora_rate", "extrapolate"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float)
    for name in ("train_batch", "class_images", "most_prompts", "seeds", "own_seeds"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    given = vars(parser.parse_args())
    names = ("rate", "lora_rate", "extrapolate", "train_batch", "class_images", "most_prompts",
             "seeds", "own_seeds", "trainings")  # fmt: skip
    recipe = replace(
        personalizing.EMBEDDED, kinds=tuple(given["arms"].split(",")),
        doses=tuple(int(d) for d in given["doses"].split(",")),
        **{n: given[n] for n in names if given[n] is not None},
    )  # fmt: skip
    folder = write_subjects(
        given["out"] / f"subjects-{given['subjects']}-{given['images']}", given["subjects"],
        given["images"],
    )  # fmt: skip
    options = Options(out=given["out"], held_out=folder.parent / SIDES[1], steps=given["steps"])
    began = time.process_time()
    run, made = personalizing.open_run(
        planning.asked("world_full"), folder, recipe, options, progress
    )
    report = personalizing.execute(run, made, recipe)
    said(f"{(time.process_time() - began) / 3600:.2f} core-hours")
    found = RunFolder(report.parent).findings()
    arms = [a.name for a in arms_of(run.suite.mitigations)]
    for kind in ("personal", "rise", "prior", "extrapolation"):
        print(f"\n{kind}\n\n{table(found, kind, arms)}")
    print(f"\n{report}")


if __name__ == "__main__":
    main()
