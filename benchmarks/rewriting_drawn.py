"""What the new texts of `inject` do to images, beside the old ones: `python -m
benchmarks.rewriting_drawn`.

The embedded model draws typed prompts about occupations of its world, as they are, with the text of
a rewriter that knows only the nouns, and with that of the parser. All three share a prompt's noise.
The nearest person of the world tells the gender that was drawn. Printed by form of the prompt are
the shares of images with the gender that the text was to state, and the difference between the
texts on the same noise, with a 95 % interval by resampling the occupations.
"""

from __future__ import annotations

import numpy as np

import audit
from audit.design.mitigations.arms import noise_seed
from audit.design.mitigations.grammar import article, find, insert_before
from audit.engine.model import load
from audit.engine.sampler import draw
from audit.engine.source import find as source
from audit.records import Sample, Settings
from audit.world.judged import GENERATOR
from audit.world.nearest import nearest
from audit.world.truth import OCCUPATIONS

FORMS = {
    "plain": "a photo of {a}", "compound": "a photo of {a_compound}",
    "described": "a portrait of a young {compound}",
}  # fmt: skip
KINDS = ("school", "night", "city", "ship")
STEPS, GUIDANCE = 15, 3.0


def prompts() -> list[tuple[str, str, str]]:
    """Form, noun and prompt, for each occupation."""
    rows = []
    for k, noun in enumerate(o.noun for o in OCCUPATIONS):
        compound = f"{KINDS[k % len(KINDS)]} {noun}"
        for form, frame in FORMS.items():
            text = frame.format(a=article(noun), a_compound=article(compound), compound=compound)
            rows.append((form, noun, text))
    return rows


def by_noun(text: str, noun: str, word: str) -> str:
    """The text with a word right before the occupation's noun, whatever is around it."""
    found = find(text, noun)
    return text if found is None else insert_before(text, found.start(), word)


def drawn(texts: list[tuple[str, str]]) -> dict[str, str]:
    """The gender drawn for each text, which shares the noise of the prompt beside it."""
    noise = dict(texts)
    samples = [Sample(t, p, "none", noise_seed(p, 0), t) for t, p in noise.items()]
    settings = Settings("embedded", "", STEPS, GUIDANCE, 16)
    out: dict[str, str] = {}
    for batch in draw(load(source(str(GENERATOR))), samples, settings):
        people = nearest(np.asarray(batch.pictures))
        out.update((id, r.sprite.gender) for id, r in zip(batch.ids, people, strict=True))
    return out


def main() -> None:
    """Draw, read and print."""
    rows = prompts()
    made = audit.rewrite([text for _, _, text in rows], "inject:gender")
    rows = [row for row, r in zip(rows, made, strict=True) if r.changed]
    made = [r for r in made if r.changed]
    asked = [str(r.drawn["gender"]) for r in made]
    words = {"woman": "female", "man": "male"}
    old = [by_noun(t, noun, words[g]) for (_, noun, t), g in zip(rows, asked, strict=True)]
    wanted = [t for _, _, t in rows]
    pairs = [*zip(wanted, wanted, strict=True), *zip(old, wanted, strict=True),
             *((r.text, t) for r, t in zip(made, wanted, strict=True))]  # fmt: skip
    seen = drawn(pairs)
    print(f"{len(seen)} images, {STEPS} steps, guidance {GUIDANCE}")
    print(
        f"{'form':9} {'n':>3} {'texts differ':>12} {'as it is':>9} {'old':>6} {'new':>6}  new - old"
    )
    nouns = [noun for _, noun, _ in rows]
    drew = [[seen[t] == g for t in (p, o, r.text)]
            for p, o, r, g in zip(wanted, old, made, asked, strict=True)]  # fmt: skip
    hit = np.array(drew, float)
    differs = np.array([o != r.text for o, r in zip(old, made, strict=True)])
    for form in (*FORMS, "all"):
        there = np.array([form in (f, "all") for f, _, _ in rows])
        shares = hit[there].mean(0)
        gap = hit[there, 2] - hit[there, 1]
        low, high = interval(gap, np.array(nouns)[there])
        said = f"{form:9} {there.sum():3d} {int(differs[there].sum()):12d} {shares[0]:9.0%}"
        said += f" {shares[1]:6.0%} {shares[2]:6.0%}"
        print(f"{said}  {gap.mean():+.0%} ({low:+.0%} to {high:+.0%})")


def interval(gap: np.ndarray, nouns: np.ndarray, draws: int = 2000) -> tuple[float, float]:
    """95 % interval of a mean difference, by resampling occupations."""
    each = np.array([gap[nouns == n].mean() for n in dict.fromkeys(nouns.tolist())])
    rng = np.random.default_rng(0)
    means = each[rng.integers(0, len(each), (draws, len(each)))].mean(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


if __name__ == "__main__":
    main()
