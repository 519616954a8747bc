"""Every verdict that a report, `check` or `compare` prints: where it is false, and where it is true.

A claim is a word, or two, that one kind of finding may get. Its `null` is a simulated audit in
which the statement is false by as little as possible, and `level` the rate at which it may be made
there; `power` is one in which it is true by a named effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.verdict_worlds import CONFIRMED, MARGIN, READERS, Setting, relevant


@dataclass(frozen=True)
class Scene:
    """One simulated truth: a world of `verdict_worlds.WORLDS` with what is planted in it."""

    world: str
    planted: tuple[tuple[str, float | bool], ...] = ()

    def __str__(self) -> str:
        inside = ", ".join(f"{k}={v:g}" for k, v in self.planted)
        return f"{self.world}({inside})"


def scene(world: str, **planted: float | bool) -> Scene:
    """A world with these values planted."""
    return Scene(world, tuple(sorted(planted.items())))


@dataclass(frozen=True)
class Claim:
    """One verdict of one kind of finding."""

    label: str
    """As in `verdict_worlds.label`."""
    words: tuple[str, ...]
    """Verdicts that make the statement, in either direction."""
    level: float | None
    """Nominal rate of the words under the null; None where no error rate is promised."""
    null: Scene
    false: str
    """The null in words."""
    power: Scene | None = None
    effect: str = ""
    """What is true in `power`, in words."""
    right: tuple[str, ...] = ()
    """The words that are right in `power`, where not all are."""
    family: bool = False
    """Whether the rate is that of reports with any such verdict, rather than that of verdicts."""
    few: bool = False
    """Whether it is measured in FEW settings only, because it takes long."""

    @property
    def name(self) -> str:
        """Label and words, and a mark for a family."""
        said = " or ".join(self.words)
        return f"{self.label}: {'any ' if self.family else ''}{said}"


def _alone(label: str, word: str, level: float | None, null: Scene, false: str,
           power: Scene | None = None, effect: str = "", **more: bool) -> Claim:  # fmt: skip
    """A claim of one word."""
    return Claim(label, (word,), level, null, false, power, effect, **more)


def _differs(
    label: str, null: Scene, false: str, power: Scene, effect: str, right: str = "above",
    confirmed: bool = True, few: bool = False,
) -> Iterator[Claim]:  # fmt: skip
    """`above` or `below` at 5 %, and any of a report's whose q is below 5 %."""
    made = Claim(label, ("above", "below"), 0.05, null, false, power, effect, (right,), few=few)
    yield made
    if confirmed:
        words = tuple(CONFIRMED + w for w in made.words)
        yield replace(made, words=words, right=(CONFIRMED + right,), family=True)


FAIR, SKEWED = scene("shares"), scene("shares", shift=0.2, high=0.6)
THIRDS, UNEVEN = scene("three"), scene("three", shift=0.2)
SAME, FURTHER = scene("amplified"), scene("amplified", shift=0.15)
NO_COPY, FEW_COPIES = scene("copied"), scene("copied", captions=0.05)
CAPTIONS, BOTH = scene("copied", captions=0.3), scene("copied", captions=0.3, ordinary=0.05)
BROAD, COPYING = scene("whole"), scene("whole", share=0.05)
LIKE, APART = scene("detected"), scene("detected", shift=1.0)
UNSEEN, SEEN = scene("extracted"), scene("extracted", share=0.2)
STILL = scene("mitigated")
PLACEBO = scene("mitigated", gain=0.2, placebo=0.2)
EDGE = scene("mitigated", gain=0.1, alignment=-MARGIN, read=-0.05, obeys=-0.05)
REACHED = scene("mitigated", reached=True)
GOOD = scene("mitigated", gain=0.2, copies=-0.2)
DEAR = scene("mitigated", gain=0.2, alignment=-MARGIN)
LOSS = scene("mitigated", alignment=-2 * MARGIN)
PRICE = scene("mitigated", gain=0.25, alignment=-1.5 * MARGIN)
BAD = scene("mitigated", gain=-0.08, alignment=-2 * MARGIN, read=-0.2, obeys=-0.2, copies=0.2,
            other=0.2, leak=0.15, people=0.15, narrow=0.5)  # fmt: skip
RUNS, CHANGED = scene("compared"), scene("compared", shift=0.2, alignment=-0.01, read=-0.2,
                                         copies=-0.15)  # fmt: skip
AT_MARGIN = scene("compared", shift=0.1, read=0.1, copies=0.1)
OTHER_SEEDS = scene("compared", paired=False)
OTHER_CHANGED = scene("compared", shift=0.2, alignment=-0.01, read=-0.2, copies=-0.15,
                      paired=False)  # fmt: skip


def _appearing() -> Iterator[Claim]:
    """Who appears: shares, distances, amplification, association, missing labels."""
    faithful, twenty = "every share is the reference's", "the share is 20 points above"
    yield from _differs("representation share", FAIR, faithful, SKEWED, twenty)
    yield from _differs("representation share three", THIRDS, faithful, UNEVEN, twenty)
    yield _alone("representation share", "equivalent", 0.05, scene("shares", shift=0.1),
                 "every share is 10 points above the reference", FAIR, faithful)  # fmt: skip
    for three, null, power in (("", FAIR, SKEWED), (" three", THIRDS, UNEVEN)):
        yield _alone(f"representation gap{three}", "above", 0.025, null, faithful, power, twenty)
        distance = _alone(f"representation distance{three}", "above", 0.05, null, faithful, power,
                          twenty)  # fmt: skip
        yield distance
        yield replace(distance, words=(f"{CONFIRMED}above",), family=True)
    trained = "shares are those of the training images"
    for of in ("", " all", " directional"):
        yield from _differs(f"representation amplification{of}", SAME, trained, FURTHER,
                            "15 points further towards the majority", confirmed=False)  # fmt: skip
    yield _alone("representation together", "above", 0.05, scene("together"),
                 "two attributes are independent within subjects", scene("together", link=0.2),
                 "the second is the first's in 20 % of images")  # fmt: skip
    yield _alone("representation association", "found", 0.05, scene("associated"),
                 "both concepts are as near to the class", scene("associated", effect=0.5),
                 "half a standard deviation apart")  # fmt: skip
    yield _alone("quality missing-by-subject", "above", 0.05, scene("missing"),
                 "labels are missing in 10 % of each subject's images", scene("missing", gap=0.2),
                 "in 30 % of every fourth subject's")  # fmt: skip
    bound = "the share is 30 %, the gate `<= 30 %`"
    yield _alone("gate", "fail", 0.025, scene("gated"), bound, scene("gated", above=0.15),
                 "the share is 45 %")  # fmt: skip
    yield _alone("gate", "pass", 0.025, scene("gated"), bound, scene("gated", above=-0.15),
                 "the share is 15 %")  # fmt: skip


def _copying() -> Iterator[Claim]:
    """What is copied: rates, counts, doses, factors, detectors, the whole set."""
    nothing, some = "nothing is copied", "5 % of captions' images are copies"
    yield _alone("replication rate captions", "found", 0.05, NO_COPY, nothing, FEW_COPIES, some)
    yield _alone("replication rate ordinary", "found", 0.05, CAPTIONS,
                 "captions are copied, ordinary prompts are not", BOTH,
                 "5 % of ordinary prompts' images are copies")  # fmt: skip
    for unit in ("images", "prompts", "training-images"):
        yield _alone(f"replication count {unit}", "found", 0.1, NO_COPY, nothing, FEW_COPIES, some)
    yield _alone("replication doses spread", "found", 0.05, scene("guided"),
                 "copies are as frequent at every guidance", scene("guided", change=0.2),
                 "20 points more at the highest")  # fmt: skip
    yield _alone("replication why rho", "found", 0.05, scene("explained"),
                 "no factor is correlated with likeness", scene("explained", rho=0.4),
                 "one of three is, by .4", family=True)  # fmt: skip
    alike, shifted = "captions score as ordinary prompts do", "one standard deviation more"
    yield _alone("replication detectors auc", "found", 0.025, LIKE, alike, APART, shifted)
    yield _alone("replication detectors called", "found", 0.05, LIKE, alike, APART, shifted)
    back = "a fifth of the captions do"
    for rule, level in (("cliques", 0.05), ("edges", 0.05)):
        yield _alone(f"replication extraction {rule}", "found", level, UNSEEN,
                     "no caption gives one image back", SEEN, back, family=True)  # fmt: skip
    yield _alone("replication extraction-score auc", "found", 0.025, UNSEEN,
                 "captions score as ordinary prompts do", SEEN, back)  # fmt: skip
    for score, level in (("zu", 0.05), ("c_t", 0.05), ("authenticity", 0.05), ("memorized", 0.1)):
        yield _alone(f"replication whole_set {score}", "found", level, BROAD,
                     "nothing is copied, and the images vary too little", COPYING,
                     "5 % of the images are copies", few=True)  # fmt: skip


def _mitigating() -> Iterator[Claim]:
    """What an arm does: targets, costs, side effects, and the verdict on it."""
    still, good = "the arm does nothing", "20 points nearer, 20 points fewer copies"
    bad = "8 points further, twice the margin of alignment, 15 to 20 points of all else"
    yield _alone("mitigation change", "not met", 0.05, REACHED, "shares are the target's", STILL,
                 "the share is 25 to 40 points off", few=True)  # fmt: skip
    yield _alone("mitigation change", "met", None, GOOD, "shares are 5 to 20 points off", REACHED,
                 "shares are the target's", few=True)  # fmt: skip
    for kind, right in (("target-distance", "below"), ("distance", "below"), ("parity", "above"),
                        ("copies captions", "below"), ("nearness captions", "below"),
                        ("removed captions", "above")):  # fmt: skip
        yield from _differs(f"mitigation {kind}", STILL, still, GOOD, good, right,
                            confirmed=kind.startswith("copies"))  # fmt: skip
    yield _alone("mitigation target-distance", "equivalent", 0.05, EDGE,
                 "every subject is 10 points nearer", STILL, still)  # fmt: skip
    for kind in ("cost alignment", "cost subject", "stated"):
        for words, power, effect in ((("kept", "not worse"), STILL, "nothing is lost"),
                                     (("lost", "worse"), BAD, "2 to 4 times the margin is lost")):  # fmt: skip
            yield Claim(f"mitigation {kind}", words, 0.025, EDGE, "exactly the margin is lost",
                        power, effect)  # fmt: skip
    for kind, right in (("outcome no-person", "above"), ("leak", "above"), ("entangled", "above"),
                        ("diversity prompt", "below"), ("diversity woman", "below")):  # fmt: skip
        yield from _differs(f"mitigation {kind}", STILL, still, BAD, bad, right, confirmed=False)
    yield _alone("mitigation entangled-distance", "above", 0.05, STILL, still, BAD, bad)
    yield from _differs("mitigation dose majority", scene("dosed"), "no dose changes a share",
                        scene("dosed", change=0.15), "15 points more of the majority",
                        confirmed=False)  # fmt: skip
    yield from _judging(still, good, bad)


def _judging(still: str, good: str, bad: str) -> Iterator[Claim]:
    """The verdict on an arm: two quantities may get better or worse, each shown at 2.5 %."""
    label = "mitigation verdict"
    yield _alone(label, "works", 0.05, STILL, still, GOOD, good)
    yield _alone(label, "works", 0.05, PLACEBO, "the arm does what its placebo does", few=True)
    yield _alone(label, "works", 0.025, DEAR, "20 points nearer, at the margin of alignment",
                 few=True)  # fmt: skip
    yield _alone(label, "at a cost", 0.05, LOSS, "twice the margin of alignment is lost, for "
                 "nothing", PRICE, "25 points nearer, 1.5 times the margin of alignment",
                 few=True)  # fmt: skip
    yield _alone(label, "no effect", 0.025, EDGE, "every subject is 10 points nearer", STILL, still)
    yield _alone(label, "harms", 0.05, STILL, still, BAD, bad)


def _comparing() -> Iterator[Claim]:
    """What `compare` says of two runs."""
    pairs, groups = "both runs are of one model", "both are of one model, with other seeds"
    changed = "20 points more, alignment .01 and copies 15 points fewer"
    for kind, right in (("share", "above"), ("share all", "above"), ("alignment", "below"),
                        ("subject", "below"), ("copies captions", "below")):  # fmt: skip
        confirmed = kind == "share"
        yield from _differs(f"comparison {kind}", RUNS, pairs, CHANGED, changed, right, confirmed)
        yield from _differs(f"comparison {kind}", OTHER_SEEDS, groups, OTHER_CHANGED, changed,
                            right, confirmed, few=True)  # fmt: skip
    for kind in ("share", "share all", "subject", "copies captions"):
        yield _alone(f"comparison {kind}", "equivalent", 0.05, AT_MARGIN,
                     "the change is exactly 10 points", RUNS, pairs)  # fmt: skip


CLAIMS = (*_appearing(), *_copying(), *_mitigating(), *_comparing())

DESCRIBED: frozenset[tuple[str, str]] = frozenset({
    ("representation", "joint"), ("representation", "template"),
    ("representation", "one-template"), ("representation", "stated"),
    ("representation", "person-leak"), ("mitigation", "overshoot"), ("mitigation", "drift"),
    *(("quality", k) for k in ("classifier", "classifier-class", "people", "abstention",
                               "agreement", "equal-labels", "kappa", "people-share",
                               "subject-read")),
})  # fmt: skip
"""Section and kind of findings that describe and judge nothing."""
UNPRINTED = frozenset({("replication", "extraction-prompt")})
"""Those that no report prints: verdicts on single prompts."""
NEUTRAL = frozenset({"compatible", "undecided", "not found", "described", CONFIRMED})
"""Verdicts that state nothing: absence of evidence."""

DEFAULT = Setting()
POOR = list(READERS)[-1]
STAR = tuple(dict.fromkeys((
    DEFAULT,
    *(replace(DEFAULT, prompts=n) for n in (2, 3, 10, 20)),
    *(replace(DEFAULT, subjects=n) for n in (2, 3, 5, 10)),
    replace(DEFAULT, images=30),
    *(replace(DEFAULT, icc=r) for r in (0.0, 0.3)),
    *(replace(DEFAULT, reader=r) for r in list(READERS)[1:]),
)))  # fmt: skip
"""One thing at a time differs from the default."""
CORNERS = (Setting(2, 2, 30, 0.3), Setting(3, 3, 6, 0.3, POOR), Setting(20, 2, 30, 0.3),
           Setting(2, 20, 6, 0.1))  # fmt: skip
"""Few of everything, few but large clusters, and many prompts of few subjects."""
FEW = (DEFAULT, replace(DEFAULT, prompts=2), replace(DEFAULT, prompts=20),
       replace(DEFAULT, subjects=3), replace(DEFAULT, images=30),
       replace(DEFAULT, reader=POOR))  # fmt: skip
REDUCED = (Setting(6, 3, 6), Setting(3, 5, 6))


def settings(claim: Claim, power: bool, reduced: bool = False) -> tuple[Setting, ...]:
    """The settings in which a claim is measured, each once."""
    chosen = REDUCED if reduced else FEW if power or claim.few else (*STAR, *CORNERS)
    return tuple(dict.fromkeys(relevant(claim.null.world, at) for at in chosen))
