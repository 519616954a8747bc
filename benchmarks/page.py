"""The report of a large run: time to make it, its size, and how fast it opens.

    python benchmarks/page.py --prompts 5000 --seeds 100

Labels are drawn by seed and evaluated by the code of real runs; the report is opened in headless
Chromium if that is installed, three times, each from a cold start of the tab. The prompts are 125
wordings of 40 subjects under a baseline; `--subjects 5000` makes each prompt a separate subject,
`--arms 20` adds rewrites of everything.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from audit.findings import distances, effects, intersections, representation
from audit.findings.pairs import Question, Tables
from audit.keys import BASELINE
from audit.records import Attribute, Mitigation, Prompt, Reference, Sample, Settings, Suite, to_json
from audit.report import page
from audit.report.evidence import Evidence
from audit.report.facts import Facts

GENDER = Attribute("gender", ("woman", "man"), {})
TONE = Attribute("tone", ("light", "medium-light", "medium", "medium-dark", "dark"), {})
KNOWN = {"gender": np.array([[193, 7], [4, 196]])}


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the wall-clock and processor time of a block."""
    start, worked = time.perf_counter(), time.process_time()
    yield
    wall, work = time.perf_counter() - start, time.process_time() - worked
    print(f"{what:<34}{wall:8.2f} s  (processor {work:.2f} s)", flush=True)


def table(
    prompts: list[Prompt], arms: list[str], seeds: int, rng: np.random.Generator
) -> pd.DataFrame:
    """A row per image and attribute, with a twentieth of the labels missing."""
    n = len(prompts) * len(arms) * seeds
    where = np.repeat(np.arange(len(prompts)), len(arms) * seeds)
    arm = np.tile(np.repeat(arms, seeds), len(prompts))
    base = pd.DataFrame({
        "sample": [f"{i:020x}" for i in range(n)], "prompt": [prompts[i].id for i in where],
        "subject": [prompts[i].subject for i in where], "arm": arm,
        "seed": np.tile(np.arange(seeds), len(prompts) * len(arms)),
    })  # fmt: skip
    skew = rng.beta(1.2, 1.2, len({p.subject for p in prompts}))
    order = {s: i for i, s in enumerate(dict.fromkeys(p.subject for p in prompts))}
    woman = skew[[order[p.subject] for p in prompts]][where]
    out = []
    for attribute in (GENDER, TONE):
        value = np.where(rng.random(n) < woman, "woman", "man")
        if attribute is TONE:
            value = rng.choice(TONE.classes, n)
        gone = rng.random(n) < 0.05
        out.append(base.assign(
            attribute=attribute.name, outcome=np.where(gone, "uncertain", "label"),
            value=np.where(gone, None, value.astype(object)), score=0.9,
        ))  # fmt: skip
    return pd.concat(out, ignore_index=True)


def evidence(args: argparse.Namespace) -> Evidence:
    """The evidence of a run without images, with findings computed as in a real one."""
    rng = np.random.default_rng(0)
    subjects = [f"occupation {i}" for i in range(args.subjects)]
    prompts = [
        Prompt(f"p{i}", f"wording {i // len(subjects)} of {subjects[i % len(subjects)]}",
               subjects[i % len(subjects)], "b", "representation", args.seeds, ("gender", "tone"))
        for i in range(args.prompts)
    ]  # fmt: skip
    arms = [BASELINE, *(f"arm-{i}" for i in range(args.arms))]
    with timed("labels drawn"):
        attributes = table(prompts, arms, args.seeds, rng)
    shares = {(s, a.name, c): 1 / len(a.classes) for s in subjects for a in (GENDER, TONE)
              for c in a.classes}  # fmt: skip
    uniform = Reference("uniform", "every class equally often", shares, "declared")
    context = representation.Context([GENDER, TONE], (uniform,), KNOWN, None, 0)
    asked = {p.id: p for p in prompts}
    sizes = pd.Series([p.subject for p in prompts]).value_counts().to_dict()
    with timed("findings"):
        found = representation.findings(attributes, context, sizes)
        found += distances.findings(attributes, context, sizes)
        found += intersections.findings(attributes, context)
        for arm in arms[1:]:
            aims = {"gender": dict.fromkeys(subjects, 0.5)}
            asks = Question(arm, aims, context, asked)
            found += effects.findings(Tables(attributes), asks)
    texts = {p.id: p.text for p in prompts}
    one = attributes.drop_duplicates("sample")
    samples = {
        r.sample: Sample(r.sample, r.prompt, r.arm, r.seed, texts[r.prompt])
        for r in one.itertuples(index=False)
    }
    suite = Suite("large", "A large run", "Whom does it draw?", tuple(prompts), (GENDER, TONE),
                  (uniform,), tuple(Mitigation(a, "inject") for a in arms[1:]))  # fmt: skip
    made = rng.integers(0, 256, (64, 512, 512, 3), np.uint8)
    return Evidence(suite, Settings("large", "0" * 16, 20, 3.0, 16), found, attributes,
                    pd.DataFrame(), samples, lambda id: made[int(id, 16) % 64],
                    lambda id: made[0], Facts(command="t2i-audit run large.toml"))  # fmt: skip


def opening(path: Path) -> None:
    """Seconds to the first paint of content and to the load event, and of processor time."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.view import browser

    if not browser.CHROMIUM.exists():
        print("Chromium is not installed: opening is not measured.")
        return
    script = """[performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
        performance.getEntriesByType('navigation')[0].loadEventEnd]"""
    with tempfile.TemporaryDirectory() as place, browser.chromium(Path(place) / "p") as chromium:
        rows = []
        for _ in range(4):
            tab = chromium.tab("about:blank")
            tab.call("Performance.enable")
            tab.go(path.resolve().as_uri())
            tab.until("performance.getEntriesByName('first-contentful-paint').length")
            known = {m["name"]: m["value"] for m in tab.call("Performance.getMetrics")["metrics"]}
            rows.append([*tab.run(script), 1000 * known["ProcessTime"]])
    names = ("first contentful paint", "load event", "processor time of the tab")
    for what, times in zip(names, zip(*rows, strict=True), strict=True):
        middle = statistics.median(times[1:])
        print(f"{what:<34}{middle / 1000:8.2f} s  (first in this browser {times[0] / 1000:.2f} s)")


def main() -> None:
    """Make the evidence and the report, and open it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--prompts", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--subjects", type=int, default=40)
    parser.add_argument("--arms", type=int, default=0)
    parser.add_argument("--out", type=Path, help="Keep the report here.")
    args = parser.parse_args()
    one = evidence(args)
    with timed("report"):
        text = page.page(one)
    with tempfile.TemporaryDirectory() as place:
        path = args.out or Path(place) / "report.html"
        path.write_text(text, "utf-8")
        print(f"{'images':<34}{len(one.samples):8d}")
        print(f"{'findings':<34}{len(one.findings):8d}")
        print(f"{'findings.json':<34}{len(to_json(one.findings)) / 1e6:8.2f} MB")
        print(f"{'size of the report':<34}{path.stat().st_size / 1e6:8.2f} MB")
        opening(path)


if __name__ == "__main__":
    main()
