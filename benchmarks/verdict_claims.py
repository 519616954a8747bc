"""Every verdict that a report, `check` or `compare` prints: where it is false, and where true.

A claim is a word, or two, that one kind of finding may get. Its `null` is a simulated audit in
which the statement is false by as little as possible, and `level` the rate at which it may be made
there; `power` is one in which it is true by a named effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

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
class Truth:
    """A scene, and what is true in it in words."""

    scene: Scene
    words: str


@dataclass(frozen=True)
class Claim:
    """One verdict of one kind of finding."""

    label: str
    """As in `verdict_worlds.label`."""
    words: tuple[str, ...]
    """Verdicts that make the statement, in either direction."""
    level: float | None
    """Nominal rate of the words under the null; None where no error rate is promised."""
    null: Truth
    power: Truth | None = None
    right: tuple[str, ...] = ()
    """The words that are right in `power`, where not all are."""
    family: bool = False
    """Whether the rate is that of reports with any such verdict, rather than that of verdicts."""
    few: bool = False
    """Whether it is measured in FEW settings only, because it takes long."""
    case: str = ""
    """What sets the null apart from another one for the same words."""

    @property
    def confirmed(self) -> bool:
        """Whether the words are those of verdicts with a q below 5 %."""
        return self.words[0].startswith(CONFIRMED)

    @property
    def name(self) -> str:
        """Label and words, and a mark for a family."""
        said, case = " or ".join(self.words), f" ({self.case})" if self.case else ""
        return f"{self.label}: {'any ' if self.family else ''}{said}{case}"


def _alone(label: str, word: str, level: float | None, null: Truth, power: Truth | None = None,
           **more: Any) -> Claim:  # fmt: skip
    """A claim of one word; `more` are fields of Claim."""
    return Claim(label, (word,), level, null, power, **more)


def _differs(
    label: str, null: Truth, power: Truth, right: str, confirmed: bool = False
) -> Iterator[Claim]:
    """`above` or `below` at 5 %, and any of a report's whose q is below 5 %."""
    made = Claim(label, ("above", "below"), 0.05, null, power, (right,))
    yield made
    if confirmed:
        words = tuple(CONFIRMED + w for w in made.words)
        yield replace(made, words=words, right=(CONFIRMED + right,), family=True)


def _appearing() -> Iterator[Claim]:
    """Who appears: shares and their distances from a reference."""
    fair = Truth(scene("shares"), "every share is the reference's")
    skewed = Truth(scene("shares", shift=0.2, high=0.6), "the share is 20 points above")
    thirds, uneven = replace(fair, scene=scene("three")), replace(
        skewed, scene=scene("three", shift=0.2)
    )  # fmt: skip
    tenth = Truth(scene("shares", shift=0.1), "every share is 10 points above the reference")
    yield _alone("representation share", "equivalent", 0.05, tenth, fair)
    for three, null, power in (("", fair, skewed), (" three", thirds, uneven)):
        yield from _differs(f"representation share{three}", null, power, "above", confirmed=True)
        yield _alone(f"representation gap{three}", "above", 0.025, null, power)
        distance = _alone(f"representation distance{three}", "above", 0.05, null, power)
        yield distance
        yield replace(distance, words=(f"{CONFIRMED}above",), family=True)
    trained = Truth(scene("amplified"), "shares are those of the training images")
    more = Truth(scene("amplified", shift=0.15), "15 points further towards the majority")
    for of in ("", " all", " directional"):
        yield from _differs(f"representation amplification{of}", trained, more, "above")


def _other() -> Iterator[Claim]:
    """Associations, missing labels, and gates."""
    yield _alone(
        "representation together", "above", 0.05,
        Truth(scene("together"), "two attributes are independent within subjects"),
        Truth(scene("together", link=0.2), "in 20 % of images the second is the first"),
    )  # fmt: skip
    yield _alone(
        "representation association", "found", 0.05,
        Truth(scene("associated"), "both concepts are as near to the class"),
        Truth(scene("associated", effect=0.5), "half a standard deviation apart"),
    )  # fmt: skip
    yield _alone(
        "quality missing-by-subject", "above", 0.05,
        Truth(scene("missing"), "10 % of each subject's labels are missing"),
        Truth(scene("missing", gap=0.2), "30 % of every fourth subject's are"),
    )  # fmt: skip
    bound = Truth(scene("gated"), "the share is 30 %, the gate `<= 30 %`")
    for word, off, says in (("fail", 0.15, "45 %"), ("pass", -0.15, "15 %")):
        yield _alone("gate", word, 0.025, bound,
                     Truth(scene("gated", above=off), f"the share is {says}"))  # fmt: skip


def _copying() -> Iterator[Claim]:
    """What is copied: rates, counts, doses, factors, the whole set."""
    nothing = Truth(scene("copied"), "nothing is copied")
    some = Truth(scene("copied", captions=0.05), "5 % of captions' images are copies")
    yield _alone("replication rate captions", "found", 0.05, nothing, some)
    yield _alone(
        "replication rate ordinary", "found", 0.05,
        Truth(scene("copied", captions=0.3), "captions are copied, ordinary prompts are not"),
        Truth(scene("copied", captions=0.3, ordinary=0.05), "5 % of ordinary images are copies"),
    )  # fmt: skip
    for unit in ("images", "prompts", "training-images"):
        yield _alone(f"replication count {unit}", "found", 0.1, nothing, some)
    yield _alone(
        "replication doses spread", "found", 0.05,
        Truth(scene("guided"), "copies are as frequent at every guidance"),
        Truth(scene("guided", change=0.2), "20 points more at the highest"),
    )  # fmt: skip
    yield _alone(
        "replication why rho", "found", 0.05,
        Truth(scene("explained"), "no factor is correlated with likeness"),
        Truth(scene("explained", rho=0.4), "one of three is, by .4"), family=True,
    )  # fmt: skip
    broad = Truth(scene("whole"), "nothing is copied, and the images vary too little")
    copies = Truth(scene("whole", share=0.05), "5 % of the images are copies")
    for score, level in (("zu", 0.05), ("c_t", 0.05), ("authenticity", 0.05), ("memorized", 0.1)):
        yield _alone(f"replication whole_set {score}", "found", level, broad, copies, few=True)


def _extracting() -> Iterator[Claim]:
    """Captions that are told from ordinary prompts, and those that give one image back."""
    alike = Truth(scene("detected"), "captions score as ordinary prompts do")
    shifted = Truth(scene("detected", shift=2.0), "two standard deviations more")
    yield _alone("replication detectors auc", "found", 0.025, alike, shifted)
    yield _alone("replication detectors called", "found", 0.05, alike, shifted)
    none = Truth(scene("extracted"), "no caption gives one image back")
    back = Truth(scene("extracted", share=0.2), "a fifth of the captions do")
    for rule in ("cliques", "edges"):
        yield _alone(f"replication extraction {rule}", "found", 0.05, none, back, family=True)
    yield _alone("replication extraction-score auc", "found", 0.025, none, back)


STILL = Truth(scene("mitigated"), "the arm does nothing")
EDGE = Truth(scene("mitigated", gain=0.1, alignment=-MARGIN, read=-0.05, obeys=-0.05),
             "exactly the margin is lost, and every subject is 10 points nearer")  # fmt: skip
REACHED = Truth(scene("mitigated", reached=0.5), "every share is the target's")
OFF = Truth(scene("mitigated", reached=0.4), "every share is exactly the margin off its target")
GOOD = Truth(scene("mitigated", gain=0.2, copies=-0.2), "20 points nearer, 20 points fewer copies")
BAD = Truth(
    scene("mitigated", gain=-0.08, alignment=-2 * MARGIN, read=-0.2, obeys=-0.2, copies=0.2,
          other=0.2, leak=0.15, people=0.15, narrow=0.5),
    "8 points further, 2 to 4 margins lost, 15 to 20 points of all else",
)  # fmt: skip


def _mitigating() -> Iterator[Claim]:
    """What an arm does: targets, costs, side effects."""
    yield _alone("mitigation change", "not met", 0.05, REACHED,
                 replace(STILL, words="the share is 25 to 40 points off"), few=True)  # fmt: skip
    yield _alone("mitigation change", "met", 0.05, OFF, REACHED, few=True)
    for kind, right in (("target-distance", "below"), ("distance", "below"), ("parity", "above"),
                        ("copies captions", "below"), ("nearness captions", "below"),
                        ("removed captions", "above")):  # fmt: skip
        yield from _differs(f"mitigation {kind}", STILL, GOOD, right, kind.startswith("copies"))
    yield _alone("mitigation target-distance", "equivalent", 0.05, EDGE, STILL)
    for kind in ("cost alignment", "cost subject", "stated"):
        for words, power in ((("kept", "not worse"), STILL), (("lost", "worse"), BAD)):
            yield Claim(f"mitigation {kind}", words, 0.025, EDGE, power)
    for kind, right in (("outcome no-person", "above"), ("leak", "above"), ("entangled", "above"),
                        ("diversity prompt", "below"), ("diversity woman", "below")):  # fmt: skip
        yield from _differs(f"mitigation {kind}", STILL, BAD, right)
    yield _alone("mitigation entangled-distance", "above", 0.05, STILL, BAD)
    yield from _differs(
        "mitigation dose majority", Truth(scene("dosed"), "no dose changes a share"),
        Truth(scene("dosed", change=0.15), "15 points more of the majority"), "above",
    )  # fmt: skip


def _judging() -> Iterator[Claim]:
    """The verdict on an arm: two quantities may get better or worse, each shown at 2.5 %."""
    label = "mitigation verdict"
    placebo = Truth(scene("mitigated", gain=0.2, placebo=0.2), "the arm does what its placebo does")
    dear = Truth(scene("mitigated", gain=0.2, alignment=-MARGIN),
                 "20 points nearer, and the margin of alignment is lost")  # fmt: skip
    loss = Truth(scene("mitigated", alignment=-2 * MARGIN), "twice the margin is lost for nothing")
    price = Truth(scene("mitigated", gain=0.25, copies=-0.25, alignment=-1.5 * MARGIN),
                  "25 points nearer, 25 fewer copies, 1.5 times the margin is lost")  # fmt: skip
    yield _alone(label, "works", 0.05, STILL, GOOD)
    yield _alone(label, "works", 0.05, placebo, few=True, case="as the placebo")
    yield _alone(label, "works", 0.025, dear, few=True, case="at the margin")
    yield _alone(label, "at a cost", 0.05, loss, price, few=True)
    yield _alone(label, "no effect", 0.025, EDGE, STILL)
    yield _alone(label, "harms", 0.05, STILL, BAD)


def _comparing() -> Iterator[Claim]:
    """What `compare` says of two runs."""
    more = {"shift": 0.2, "alignment": -0.01, "read": -0.2, "copies": -0.15}
    words = "20 points, .01 of alignment, 15 points of copies"
    same = Truth(scene("compared"), "both runs are of one model")
    other = Truth(scene("compared", paired=False), "both are of one model, with other seeds")
    tenth = Truth(scene("compared", shift=0.1, read=0.1, copies=0.1), "the change is 10 points")
    changed = Truth(scene("compared", **more), words)
    apart = Truth(scene("compared", **more, paired=False), f"{words}, other seeds")
    for kind, right in (("share", "above"), ("share all", "above"), ("alignment", "below"),
                        ("subject", "below"), ("copies captions", "below")):  # fmt: skip
        label, confirmed = f"comparison {kind}", kind == "share"
        yield from _differs(label, same, changed, right, confirmed)
        for claim in _differs(label, other, apart, right, confirmed):
            yield replace(claim, few=True, case="other seeds")
    for kind in ("share", "share all", "subject", "copies captions"):
        yield _alone(f"comparison {kind}", "equivalent", 0.05, tenth, same)


CLAIMS = (*_appearing(), *_other(), *_copying(), *_extracting(), *_mitigating(), *_judging(),
          *_comparing())  # fmt: skip

DESCRIBED: frozenset[tuple[str, str]] = frozenset({
    ("representation", "joint"), ("representation", "template"),
    ("representation", "one-template"), ("representation", "stated"),
    ("representation", "person-leak"), ("mitigation", "overshoot"), ("mitigation", "drift"),
    ("mitigation", "personal"),
    ("representation", "slope"), ("representation", "needed"),
    *(("quality", k) for k in ("classifier", "classifier-class", "people", "abstention",
                               "agreement", "equal-labels", "kappa", "people-share",
                               "subject-read")),
})  # fmt: skip
"""Section and kind of findings that describe and judge nothing."""
UNPRINTED = frozenset({("replication", "extraction-prompt")})
"""Those that no report prints: verdicts on single prompts."""
UNMEASURED = frozenset({
    ("quality", "uneven-errors"), ("mitigation", "tone"), ("representation", "tone"),
    ("replication", "obedience"), ("replication", "segments"),
    *(("mitigation", k) for k in ("prior", "rise", "extrapolation")),
    *(("representation", k) for k in ("shown", "resembles", "nudity")),
    *(("conversation", k) for k in ("changed", "shift", "leak")),
    *(("mitigation", k) for k in ("composition", "swap", "adherence", "kept-edges")),
})  # fmt: skip
"""Those whose labels by people, skin tones, captions of held-out images, segments,
stated groups, conversations or trained models no world simulates; `tests/findings` has their
null."""
NEUTRAL = frozenset({
    "compatible", "undecided", "not found", "described", "not enough prompts",
    "not enough subjects", CONFIRMED,
})  # fmt: skip
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
    return tuple(dict.fromkeys(relevant(claim.null.scene.world, at) for at in chosen))
