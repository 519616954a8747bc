"""Stacks: parts one after another, each as by itself, and none that cannot follow another."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from audit import registry
from audit.design import suites
from audit.design.mitigations import arms, stacks
from audit.design.mitigations.changes import change
from audit.design.mitigations.rewrite import why_not
from audit.design.mitigations.specs import parse
from audit.errors import UserError
from audit.records import Mitigation, Settings, Suite
from tests.sizes import draws, examples

SETTINGS = Settings("m", "r", 10, 3.0, 4)
WORLD = suites.read_suite("world_full")
SPECS = ("inject:gender", "inject:skin_tone", "ethical:gender", "ethical:skin_tone", "neutral",
         "indirect", "placebo:gender", "placebo:skin_tone", "negative:attribute=gender",
         "negative:attribute=skin_tone", "guidance:6", "negative:blurry", "repeat-words:2",
         "add-words:3", "add-numbers:1", "noise:0.5", "token-noise", "rescale-attention",
         "optimise-states")  # fmt: skip
PAIRS = [
    (a, b) for a, b in permutations(SPECS, 2) if not stacks.clash(parse(a), parse(b))
]  # fmt: skip


def of(*specs: str) -> tuple[Suite, Mitigation]:
    """A small world with one stack on the people's blocks."""
    blocks = sorted({p.block for p in WORLD.prompts if p.purpose == "representation"})
    arm = stacks.on(stacks.stacked(Mitigation("s", "stack"), [parse(s) for s in specs]), blocks)
    asked = [p for p in WORLD.prompts if p.block in blocks][:6]
    asked += [replace(asked[0], id=f"said{i}", text=f"{asked[0].text} {tail}")
              for i, tail in enumerate(("with dark skin", "and his dog", "in 1850"))]  # fmt: skip
    prompts = tuple(replace(p, seeds=3) for p in asked)
    return replace(WORLD, prompts=prompts, mitigations=(arm,)), arm


@given(st.sampled_from(PAIRS))
@examples(25)
def test_parts_do_one_after_another_what_they_do_alone(pair: tuple[str, str]) -> None:
    """The second rewrites what the first left; each draws what it draws alone, obeys its own gate,
    and speaks wherever that gate is open."""
    suite, arm = of(*pair)
    arms.check(suite, arm)
    functions = registry.rewriters(suite)
    both = arms.texts(suite, arm, functions)
    first, second = (arms.texts(suite, part, functions) for part in arm.parts)
    prompts = {p.id: p for p in suite.prompts}
    for (id, i), (text, drawn, _) in both.items():
        assert drawn == {**first[id, i][1], **second[id, i][1]}
        p, middle, b = prompts[id], first[id, i][0], arm.parts[1]
        about = stacks.about(b)
        if "attribute" in b.options and why_not(p.text, p, b.options):
            assert text == middle
            assert about not in second[id, i][1]
        elif second[id, i][0] != p.text:
            assert text != middle
            assert len(text.split()) - len(middle.split()) == (
                len(second[id, i][0].split()) - len(p.text.split())
            )
    assert both == arms.texts(suite, arm, functions)


@draws(few=40, many=200)
def test_two_attributes_are_drawn_by_quota_and_independently(runs: int) -> None:
    """Gender and skin tone each meet their target exactly, and say nothing of one another."""
    suite, arm = of("inject:gender", "inject:skin_tone")
    one = suite.prompts[0]
    many = tuple(replace(one, id=str(i), text=f"{i} and a {one.subject}", subject=one.subject)
                 for i in range(3000, 3000 + runs))  # fmt: skip
    suite = replace(suite, prompts=tuple(replace(p, seeds=20) for p in many))
    texts = arms.texts(suite, arm, registry.rewriters(suite))
    drawn = [t.drawn for t in texts.values()]
    assert len(drawn) == 20 * runs
    genders, tones = (Counter(d[a] for d in drawn) for a in ("gender", "skin_tone"))
    assert set(genders.values()) == {10 * runs}
    assert set(tones.values()) == {10 * runs}
    both = Counter((d["gender"], d["skin_tone"]) for d in drawn)
    table = np.array([[both[g, t] for t in tones] for g in genders])
    assert chi2_contingency(table).pvalue > 0.001
    assert all(f"male {one.subject} with {d['skin_tone']} skin" in t for t, d, _ in texts.values())


@pytest.mark.parametrize(
    ("specs", "why"),
    [
        (("guidance:2", "guidance:3"), "both are guidance"),
        (("inject:gender", "inject:gender,target=planted"), "both are inject"),
        (("inject:gender", "ethical:gender"), "both are about gender"),
        (("placebo:gender", "inject:gender"), "both are about gender"),
        (("inject:gender", "negative:attribute=gender"), "both are about gender"),
        (("neutral", "inject:gender"), "both are about gender"),
        (("noise", "token-noise"), "noise of the same seed"),
        (("add-words", "inject:gender"), "put them last"),
        (("negative:a", "negative:b"), "both are negative"),
        (("guidance:6", "noise", "guidance:9"), "both are guidance"),
    ],
)
def test_parts_that_exclude_each_other_are_refused(specs: tuple[str, ...], why: str) -> None:
    """One sentence that names both parts and why."""
    suite, arm = of(*specs)
    with pytest.raises(UserError, match=why) as caught:
        arms.check(suite, arm)
    assert "\n" not in str(caught.value)


def test_engine_changes_merge() -> None:
    """Guidance, words to stay away from before the run's own, and several methods inside."""
    _, arm = of("guidance:6", "noise:0.5", "negative:attribute=gender", "rescale-attention:2")
    own = replace(SETTINGS, negative="blurry")
    classes = {"gender": ("woman", "man"), "skin_tone": ("light", "dark")}
    noise = {"inside": "noise", "options": {"level": 0.5}}
    rescale = {"inside": "rescale-attention", "options": {"factor": 2.0}}
    assert change(arm, own, {"gender": "woman"}, classes).as_json() == {
        "guidance": 6.0, "negative": "male, man, blurry", "stack": [noise, rescale],
    }  # fmt: skip
    assert change(arm, own, {}, {}).as_json() == {"guidance": 6.0, "stack": [noise, rescale]}
    _, arm = of("negative:attribute=skin_tone", "negative:a hat", "noise:0.5")
    assert change(arm, own, {"skin_tone": "light"}, classes).as_json() == {
        "negative": "dark skin, a hat", **noise,
    }  # fmt: skip
    _, arm = of("negative:attribute=gender", "negative:attribute=skin_tone")
    suite = replace(WORLD, mitigations=(arm,))
    rows = arms.samples(suite, arm, SETTINGS, registry.rewriters(suite))
    seen = {r.change.negative for r in rows if r.change}
    assert len(seen) == 4
    assert all(s and "man" in s and s.count("skin") == 1 for s in seen)


@pytest.mark.parametrize(
    ("of_", "words"),
    [
        ('["injct-gender", "noise"]', "Did you mean inject-gender"),
        ('["noise", { method = "stack", options = { of = ["noise", "ethical"] } }]',
         "a stack cannot contain a stack"),
        ('["noise", "inject-and-rescale"]', "Unknown arm"),
        ('["noise"]', "at least 2"),
        ('["noise", { method = "guidance", options = { scale = 0.5 } }]', r"of\.1\.options\.scale"),
        ('["noise", { method = "noise", option = {} }]', r"of\.1\.option: .*Did you mean options"),
        ('["noise", { method = "guidanc" }]', "Did you mean guidance"),
        ('["inject-gender", "inject-planted"]', "both are inject"),
    ],
)  # fmt: skip
def test_a_stack_in_a_suite_names_arms_or_methods(of_: str, words: str, tmp_path: Path) -> None:
    """Mistakes get one sentence; arms by name keep their name and so their draws."""
    text = (suites.folder() / "world_lab.toml").read_text("utf-8")
    for file in suites.folder().glob("world_*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path, was = tmp_path / "mine.toml", '["repeat-words", "noise", "rescale-attention"]'
    path.write_text(text.replace(was, of_), "utf-8")
    with pytest.raises(UserError, match=words):
        suites.read_suite(str(path))
    inline = '["repeat-words", { method = "guidance", options = { scale = 2.0 } }]'
    path.write_text(text.replace(was, inline), "utf-8")
    suite = suites.read_suite(str(path))
    arm = next(m for m in suite.mitigations if m.name == "stack-copies")
    assert [(m.name, m.method) for m in arm.parts] == [
        ("repeat-words", "repeat-words"), ("stack-copies-guidance", "guidance"),
    ]  # fmt: skip
    assert {part.blocks for part in arm.parts} == {("captions",)}


def test_a_placebo_may_be_as_long_as_a_stack() -> None:
    """What all parts add counts."""
    suite, arm = of("inject:gender", "inject:skin_tone")
    options = {"attribute": "gender", "like": "s"}
    other = Mitigation("p", "placebo", options, arm.blocks)
    suite = replace(suite, mitigations=(arm, other))
    arms.check(suite, other)
    texts = arms.texts(suite, other, registry.rewriters(suite))
    p = suite.prompts[0]
    assert len(texts[p.id, 0][0].split()) == len(p.text.split()) + 4
