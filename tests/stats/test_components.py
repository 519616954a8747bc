"""Components are those of analysis of variance, unbiased, and their limits hold the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from audit.stats import components as vc
from audit.stats.proportions import intraclass, wilson


def grid(*sizes: int) -> list[np.ndarray]:
    """Level indices int[n] of a full crossing of factors of these sizes."""
    return [i.ravel() for i in np.indices(sizes)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_factor_is_the_intraclass_correlation(seed: int) -> None:
    """Unequal clusters of 0/1: the share is the correlation that is used elsewhere."""
    rng = np.random.default_rng(seed)
    clusters = rng.integers(0, 12, 150)
    y = (rng.random(150) < rng.random(12)[clusters]).astype(float)
    found = vc.variance_components(y, {"prompt": clusters}, clusters)
    assert found["prompt"].share.estimate == pytest.approx(intraclass(y, clusters))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_balanced_data_give_the_classical_table(seed: int) -> None:
    """Two crossed factors, their interaction, and three images of each prompt, by statsmodels."""
    rng = np.random.default_rng(seed)
    s, t, _ = grid(8, 5, 3)
    y = (rng.random(120) < (rng.random(8)[s] + rng.random(5)[t]) / 2).astype(float)
    frame = pd.DataFrame({"y": y, "s": s, "t": t})
    table = sm.stats.anova_lm(smf.ols("y ~ C(s) * C(t)", frame).fit())
    ms = table["sum_sq"] / table["df"]
    both = ms["C(s):C(t)"]
    theirs = [(ms["C(s)"] - both) / 15, (ms["C(t)"] - both) / 24,
              (both - ms["Residual"]) / 3, ms["Residual"]]  # fmt: skip
    factors = {"subject": s, "template": t, "prompt": vc.crossed(s, t)}
    found = vc.variance_components(y, factors, s)
    assert [p.variance for p in found.parts] == pytest.approx(theirs)
    assert [p.name for p in found.parts] == [*factors, vc.REST]
    assert [p.levels for p in found.parts] == [8, 5, 40, 120]
    assert found.total == pytest.approx(sum(theirs))


@pytest.mark.parametrize("seed", [1, 2])
def test_nested_prompts_are_those_of_a_mixed_model(seed: int) -> None:
    """Balanced and all above 0, REML is the analysis of variance: statsmodels' mixed model."""
    rng = np.random.default_rng(seed)
    s, p, _ = grid(20, 4, 5)
    prompt = vc.crossed(s, p)
    y = rng.normal(0, 1, 20)[s] + rng.normal(0, 0.8, 80)[prompt] + rng.normal(0, 1, 400)
    found = vc.variance_components(y, {"subject": s, "prompt": prompt}, s)
    frame = pd.DataFrame({"y": y, "s": s, "p": prompt})
    model = smf.mixedlm("y ~ 1", frame, groups="s", re_formula="1",
                        vc_formula={"p": "0 + C(p)"}).fit()  # fmt: skip
    theirs = [float(model.cov_re.iloc[0, 0]), float(model.vcomp[0]), float(model.scale)]
    assert [p.variance for p in found.parts] == pytest.approx(theirs, rel=2e-3)


@dataclass(frozen=True)
class World:
    """A linear probability model of labels whose components are known."""

    template: np.ndarray
    seed: np.ndarray
    subjects: float = 0.2
    """Half-width of the subjects' uniform shares about one half."""
    prompts: float = 0.08
    """The prompts' own departure, up or down."""

    def truth(self) -> dict[str, float]:
        """Components: of the templates and seeds that there are, of all subjects and prompts."""
        parts = {
            "subject": self.subjects**2 / 3,
            "template": float(self.template.var(ddof=1)),
            "prompt": self.prompts**2,
            "seed": float(self.seed.var(ddof=1)),
        }
        spread = self.template.var() + self.seed.var() + parts["subject"] + parts["prompt"]
        mean = 0.5 + self.template.mean() + self.seed.mean()
        return {**parts, vc.REST: float(mean * (1 - mean) - spread)}

    def draw(
        self, rng: np.random.Generator, n: int, lost: float = 0.0
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Labels of n subjects with all templates and seeds, some of them missing."""
        s, t, j = grid(n, len(self.template), len(self.seed))
        prompt = vc.crossed(s, t)
        p = 0.5 + rng.uniform(-self.subjects, self.subjects, n)[s] + self.template[t]
        p += self.seed[j] + rng.choice((-self.prompts, self.prompts), prompt.max() + 1)[prompt]
        y = (rng.random(len(p)) < p).astype(float)
        y[rng.random(len(p)) < lost] = np.nan
        return y, {"subject": s, "template": t, "prompt": prompt, "seed": j}


WORLD = World(np.array([-0.12, -0.05, 0.0, 0.05, 0.12]), np.array([-0.05, -0.02, 0.02, 0.05]))


@pytest.mark.parametrize(("seed", "lost"), [(1, 0.0), (2, 0.3), (3, 0.3)])
def test_components_are_unbiased_also_with_images_missing(seed: int, lost: float) -> None:
    """The mean of many audits is the planted truth, component by component."""
    rng = np.random.default_rng(seed)
    truth = WORLD.truth()
    found = []
    for _ in range(60):
        y, factors = WORLD.draw(rng, 40, lost)
        known = np.isfinite(y)
        levels = [f[known] for f in factors.values()]
        found.append(vc._moments(y[known], levels))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / math.sqrt(60)
    assert np.all(np.abs(mean - list(truth.values())) < 3.5 * error + 1e-4)
    assert np.all(error < 0.004)


def test_limits_hold_the_planted_shares() -> None:
    """Subjects left out one at a time: about 95 % of limits hold the templates' share."""
    rng = np.random.default_rng(4)
    truth = WORLD.truth()
    total, held = sum(truth.values()), []
    for _ in range(80):
        y, factors = WORLD.draw(rng, 25, 0.1)
        found = vc.variance_components(y, factors, factors["subject"])
        assert found.missing == np.isnan(y).sum()
        held.append([
            found[k].share.low <= truth[k] / total <= found[k].share.high for k in truth
        ])  # fmt: skip
    assert np.mean(held, axis=0) == pytest.approx(0.95, abs=0.07)


@pytest.mark.parametrize("seed", range(3))
def test_where_templates_do_nothing_their_share_is_about_0(seed: int) -> None:
    """Unbiased means below 0 at times; the share is cut, and its lower limit is 0."""
    rng = np.random.default_rng(seed)
    world = World(np.zeros(5), np.zeros(4), subjects=0.4, prompts=0.0)
    y, factors = world.draw(rng, 40)
    found = vc.variance_components(y, factors, factors["subject"])
    assert found["template"].share.low == 0
    assert found["template"].share.high < 0.03
    assert found["subject"].share.low > 0


def test_unknown_components_are_nan_with_a_reason() -> None:
    """One class, nothing at all, confounded factors, a factor of one level, too few units."""
    s, t, _ = grid(6, 3, 2)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, len(s)).astype(float)
    same = vc.variance_components(np.ones(len(s)), {"subject": s}, s)
    assert math.isnan(same["subject"].share.estimate)
    assert same.reason == "all labels are the same"
    assert vc.variance_components(y * np.nan, {"a": s}, s).reason == "no image has a label"
    twice = vc.variance_components(y, {"a": s, "b": s + 7}, s)
    assert math.isnan(twice["a"].variance)
    assert "told apart" in twice.reason
    assert "single level" in vc.variance_components(y, {"a": s, "b": 0 * s}, s).reason
    few = vc.variance_components(y, {"subject": s, "template": t}, s % 2)
    assert math.isfinite(few["subject"].variance)
    assert math.isnan(few["template"].share.low)
    assert "units" in few.reason
    with pytest.raises(ValueError, match="length"):
        vc.variance_components(y, {"a": s[1:]}, s)


def labels_of(counts: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and templates from (women, images) of each template."""
    y = np.concatenate([np.arange(n) < k for k, n in counts]).astype(float)
    return y, np.repeat(np.arange(len(counts)), [n for _, n in counts])


def test_a_template_s_share_is_wilson_s() -> None:
    """One prompt for each template: its images count; the rest is what the others show."""
    y, templates = labels_of([(12, 40), (20, 40), (3, 40)])
    y[1] = np.nan
    found = vc.template_verdicts(y, templates, templates, 0.5)
    first = found.templates[0]
    assert (first.n, first.missing) == (39, 1)
    theirs = wilson(11, 39)
    assert (first.share.low, first.share.high) == pytest.approx((theirs.low, theirs.high))
    assert first.without.estimate == pytest.approx(23 / 80)
    assert [t.own for t in found.templates] == ["below", "compatible", "below"]


def test_a_verdict_that_depends_on_one_template_is_found() -> None:
    """Many templates alike are robust; one that carries the claim, or hides it, is named."""
    alike = vc.template_verdicts(*two(labels_of([(6, 40)] * 6)), 0.5)
    assert alike.verdict == "below"
    assert alike.robust
    y, templates = labels_of([(24, 40)] * 5 + [(6, 40)])
    hidden = vc.template_verdicts(y, templates, templates, 0.5)
    assert hidden.verdict == "compatible"
    assert [t.change for t in hidden.templates] == ["none"] * 5 + ["gained"]
    assert hidden.templates[5].own == "below"
    assert not hidden.robust
    many = labels_of([(23, 40)] * 4 + [(40, 40)] * 1)
    prompts = np.arange(len(many[0]))
    carried = vc.template_verdicts(*many, prompts, 0.55)
    assert carried.verdict == "above"
    assert carried.templates[4].change == "lost"
    y, templates = labels_of([(200, 200), (30, 100), (30, 100)])
    turned = vc.template_verdicts(y, templates, np.arange(400), 0.5)
    assert [t.change for t in turned.templates] == ["reversed", "none", "none"]


def two(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, templates, and the templates again as prompts."""
    return (*pair, pair[1])


def test_verdicts_without_a_label_are_undecided() -> None:
    """A template of missing images alone says nothing; so does what is left of a single one."""
    y, templates = labels_of([(5, 10), (0, 10)])
    y[10:] = np.nan
    found = vc.template_verdicts(y, templates, templates, 0.9)
    assert found.templates[1].own == "undecided"
    assert math.isnan(found.templates[1].share.estimate)
    assert found.templates[0].verdict_without == "undecided"
    assert found.templates[0].change == "lost"
    everyone, again = labels_of([(10, 10)] * 4)
    # All alike: no more than one success for each prompt.
    assert vc.template_verdicts(everyone, again, again, 0.5).share.low == wilson(4, 4).low
