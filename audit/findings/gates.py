"""Gates: conditions on findings, judged by intervals, so builds do not pass by chance.

A gate is `SELECTOR OP NUMBER`, such as `replication.rate.ordinary <= 1 %`. It passes where the
whole interval satisfies it, fails where none of it does, and is undecided otherwise: too few images
neither pass nor fail.
"""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from audit.design.suites.conditions import Gate
from audit.errors import UserError, unknown
from audit.keys import Unit
from audit.records import Finding
from audit.stats.proportions import wilson

PASS, FAIL, UNDECIDED = "pass", "fail", "undecided"
MOST = 10**9
"""Number of images beyond which a decision counts as out of reach."""


@dataclass(frozen=True)
class Check:
    """The result of one gate on one finding, with the reason."""

    gate: Gate
    finding: Finding
    verdict: str
    """`pass`, `fail` or `undecided`."""
    reason: str
    n_decides: float
    """How many of `unit` would decide at this estimate; infinite where no number would, NaN where
    it is decided or unknown."""
    unit: str


def select(selector: str, findings: Sequence[Finding]) -> list[Finding]:
    """The findings that a selector names: an id, or a dotted alias or the beginning of one.

    A whole alias names its finding alone, not those that begin with it. `*` matches any one part,
    or a piece of it. `replication.rate` is every rate of copying;
    `representation.*.gender.distance` the distance of every subject from every reference. Raises
    UserError, with near names, where it matches nothing.
    """
    exact = [f for f in findings if f.id == selector]
    if exact:
        return exact
    if "/" in selector:
        wanted = selector.split("/")
        found = [f for f in findings if _matches(wanted, f.id.split("/"), whole=True)]
    else:
        wanted = selector.split(".")
        named = {whole: [f for f in findings if _matches(wanted, f.name.split("."), whole)]
                 for whole in (True, False)}  # fmt: skip
        found = named[True] or named[False]
    if not found:
        raise unknown("finding", selector, _names(findings, selector))
    return found


def _matches(wanted: Sequence[str], parts: Sequence[str], whole: bool) -> bool:
    if len(wanted) > len(parts) or (whole and len(wanted) < len(parts)):
        return False
    return all(_starred(w, p) for w, p in zip(wanted, parts, strict=False))


def _starred(pattern: str, part: str) -> bool:
    """Whether a part fits a pattern whose stars match anything, in time linear in both."""
    first, *rest = pattern.split("*")
    if not rest:
        return part == pattern
    *pieces, last = rest
    if len(part) < len(first) + len(last) or not (part.startswith(first) and part.endswith(last)):
        return False
    left = part[len(first) : len(part) - len(last)]
    for piece in pieces:
        _, found, left = left.partition(piece) if piece else ("", True, left)
        if not found:
            return False
    return True


def _names(findings: Iterable[Finding], selector: str) -> set[str]:
    """Names to suggest for a selector: ids, or aliases no longer than it, `*` kept."""
    if "/" in selector:
        return {f.id for f in findings}
    wanted = selector.split(".")
    starred = {i for i, w in enumerate(wanted) if w == "*"}
    return {
        ".".join("*" if i in starred else p for i, p in enumerate(f.name.split(".")[: len(wanted)]))
        for f in findings
    }


def check(gates: Sequence[Gate], findings: Sequence[Finding]) -> list[Check]:
    """Every gate on every finding that it names, in the order of both.

    Raises UserError for no gates, for a gate that matches no finding, and for one that could never
    fail or never pass on a finding, such as `share <= 40` where 40 % is meant.
    """
    if not gates:
        raise UserError(
            "There is nothing to check: give a --gate such as 'replication.rate <= 1 %', or "
            "`checks` in the suite."
        )
    pairs = [(g, f) for g in gates for f in select(g.selector, findings)]
    for g, f in pairs:
        _fits(g, f)
    return [judge(g, f) for g, f in pairs]


def named(gates: Sequence[Gate], findings: Sequence[Finding]) -> list[Finding]:
    """The findings that the gates name, each once; all of them without gates."""
    if not gates:
        return list(findings)
    return list({f.id: f for g in gates for f in select(g.selector, findings)}.values())


RANGES: Mapping[Unit, tuple[float, float]] = {
    "share": (0, 1), "points": (-1, 1), "distance": (-1, 1), "cosine": (-2, 2),
    "count": (0, math.inf),
}  # fmt: skip
"""Smallest and largest value of a unit. A distance is below 0 where it is a change of one, or less
than a faithful model scores, and a cosine above 1 where it is a change of one."""
COEFFICIENTS: Mapping[str, tuple[float, float]] = {
    "agreement": (-math.inf, 1), "kappa": (-1, 1), "why": (-1, 1),
}  # fmt: skip
"""The same of the kinds of findings whose coefficient has a range."""
IN_PERCENT = ("share", "points", "distance")
NAMES: Mapping[Unit, str] = {
    "share": "a share", "points": "a difference of shares", "distance": "a distance between shares",
    "cosine": "a cosine, or a change of one,", "count": "a count",
    "bits": "an amount of information", "coefficient": "a coefficient",
    "lightness": "a lightness L*", "degrees": "an angle of hue",
}  # fmt: skip


def _fits(gate: Gate, f: Finding) -> None:
    """Raise UserError for a bound in another unit than the finding's, or outside its range."""
    where = f"{gate.text!r} on {f.name}"
    what = NAMES.get(f.unit, "a number")
    if gate.unit and f.unit not in IN_PERCENT:
        number = f"{100 * gate.bound:.10g}"
        raise UserError(f"{where}: {what} is not in {gate.unit}. Write a number such as {number}.")
    if gate.unit == "points" and f.unit == "share":
        raise UserError(f"{where}: {what} is not in points. Write {100 * gate.bound:.10g} %.")
    free = (-math.inf, math.inf)
    low, high = RANGES.get(f.unit, free if f.unit == "bits" else COEFFICIENTS.get(f.key.kind, free))
    if gate.holds(low) != gate.holds(high):
        return
    never = f"so this gate can never {'fail' if gate.holds(low) else 'pass'}"
    percent = f.unit in IN_PERCENT and not gate.unit and 1 <= abs(gate.bound) <= 100
    said = f"Did you mean {gate.bound:g} %?" if percent and high * 100 >= abs(gate.bound) else (
        "Choose a bound inside that range."
    )  # fmt: skip
    shown = (
        f"{low:g} to {high:g}"
        if f.unit not in IN_PERCENT
        else f"{100 * low:g} % to {100 * high:g} %"
    )
    shown = "0 or more" if math.isinf(high) else shown
    shown = f"{high:g} or less" if math.isinf(low) else shown
    raise UserError(f"{where}: {what} is {shown}, {never}. {said}")


def judge(gate: Gate, f: Finding) -> Check:
    """One gate on one finding, by its interval."""
    why = _nothing_known(f)
    unit = f.counted
    if why:
        return Check(gate, f, UNDECIDED, why, math.nan, unit)
    low, high = gate.holds(f.low), gate.holds(f.high)
    if low and high:
        return Check(gate, f, PASS, "the whole interval satisfies it", math.nan, unit)
    if not low and not high:
        return Check(gate, f, FAIL, "no part of the interval satisfies it", math.nan, unit)
    needed = n_decides(gate, f)
    return Check(gate, f, UNDECIDED, _say(gate, needed, unit), needed, unit)


def _nothing_known(f: Finding) -> str:
    """Why a finding decides nothing; else empty."""
    if not math.isfinite(f.estimate):
        missing = ", ".join(f"{k} {n}" for k, n in f.reasons.items())
        return "the estimate is not known" + (f" (missing: {missing})" if missing else "")
    if not (math.isfinite(f.low) and math.isfinite(f.high)):
        return "the finding has no interval"
    if f.low == f.high:
        return "the interval has no width, which does not mean that the estimate is certain"
    return ""


def _base(f: Finding) -> float:
    """The number of counted units behind the current interval."""
    subjects = f.counted == "subjects" and math.isfinite(f.n_effective)
    return f.n_effective if subjects else float(f.n)


def _say(gate: Gate, needed: float, unit: str) -> str:
    reason = f"the interval contains values on both sides of {gate.bound:g}"
    if math.isnan(needed):
        return f"{reason}; a count grows with the number of images, so use a gate on the rate"
    if math.isinf(needed):
        return f"{reason}; the estimate is so close to it that no number of {unit} would decide"
    return f"{reason}; about {needed:.0f} {unit} would decide if the estimate stayed the same"


def n_decides(gate: Gate, f: Finding) -> float:
    """How many images, pairs, ... would decide a gate if the estimate stayed the same.

    Shares: Wilson's interval (1927) at the effective size that gives the finding's own width, grown
    until it is on one side; exact where the finding's interval is Wilson's. Anything else: the
    limit's distance from the estimate shrinks with the square root of n. Where a classifier's
    errors were corrected it is too low, because these would also have to be known better. NaN for
    counts, infinite where the estimate equals the bound, and beyond MOST.
    """
    if f.unit == "count" or f.n == 0:
        return math.nan
    base = _base(f)
    if _is_share(f):
        scale = _share_growth(f, gate)
    else:
        gap = gate.bound - f.estimate
        reach = f.high - f.estimate if gap > 0 else f.estimate - f.low
        scale = (reach / gap) ** 2 if gap else math.inf
    if not math.isfinite(scale):
        return math.inf
    needed = max(base + 1, math.ceil(base * scale * (1 - 1e-9)))
    return needed if needed <= MOST else math.inf


def _is_share(f: Finding) -> bool:
    plain = f.unit == "share" and f.key.kind != "template" and 0 <= f.estimate <= 1
    return plain and 0 <= f.low <= f.estimate <= f.high <= 1


def _share_growth(f: Finding, gate: Gate) -> float:
    """Factor by which the effective size of a share must grow; infinite beyond MOST."""
    width = f.high - f.low
    now = _bisect(lambda m: _width(f.estimate, m) <= width)

    def decided(m: float) -> bool:
        ci = wilson(f.estimate * m, m)
        return gate.holds(ci.low) == gate.holds(ci.high)

    needed = _bisect(decided)
    return needed / now if math.isfinite(needed) else math.inf


def _width(share: float, m: float) -> float:
    ci = wilson(share * m, m)
    return ci.high - ci.low


def _bisect(enough: Callable[[float], bool]) -> float:
    """The smallest size that is `enough` (monotone); infinite beyond MOST."""
    low, high = 1e-3, 1.0
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST:
            return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def overall(checks: Iterable[Check]) -> str:
    """`fail` where any check fails, else `undecided` where any is, else `pass`."""
    found = {c.verdict for c in checks}
    return next((v for v in (FAIL, UNDECIDED) if v in found), PASS)


def rows(checks: Sequence[Check]) -> list[dict[str, object]]:
    """The checks as rows of plain values, gate by gate: None for unknown or infinite values."""

    def number(x: float) -> float | None:
        return x if math.isfinite(x) else None

    return [
        {
            "gate": c.gate.text, "finding": c.finding.id, "verdict": c.verdict, "reason": c.reason,
            "estimate": number(c.finding.estimate), "low": number(c.finding.low),
            "high": number(c.finding.high), "n": c.finding.n, "missing": c.finding.missing,
            "bound": c.gate.bound, "op": c.gate.op, "n_decides": number(c.n_decides),
            "unit": c.unit, "method": c.finding.method, "sentence": c.finding.sentence,
        }
        for c in checks
    ]  # fmt: skip


def to_json(checks: Sequence[Check]) -> str:
    """The checks as strict JSON: the verdict, that of every gate, and `rows`."""
    gates = {
        g: overall(c for c in checks if c.gate.text == g)
        for g in dict.fromkeys(c.gate.text for c in checks)
    }
    body = {"verdict": overall(checks), "gates": gates, "checks": rows(checks)}
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(checks: Sequence[Check], name: str) -> bytes:
    """The checks as JUnit's XML, as pytest writes and Jenkins reads it: one test case per check.

    A gate that fails is a `failure`; one that is undecided is `skipped`, and its message says what
    would decide. The exit code distinguishes both from a pass. There is no timestamp, so equal
    checks give equal bytes.
    """
    count = {v: str(sum(c.verdict == v for c in checks)) for v in (FAIL, UNDECIDED)}
    totals = {"tests": str(len(checks)), "failures": count[FAIL], "errors": "0"}
    top = ET.Element("testsuites", {"name": "t2i-audit check", **totals})
    suite = ET.SubElement(
        top, "testsuite", {"name": _xml(name), **totals, "skipped": count[UNDECIDED], "time": "0"}
    )
    for c in checks:
        case = ET.SubElement(
            suite, "testcase",
            {"classname": _xml(c.gate.text), "name": _xml(c.finding.id), "time": "0"},
        )  # fmt: skip
        tag = {FAIL: "failure", UNDECIDED: "skipped"}.get(c.verdict)
        if tag:
            said = {"type": f"gate.{c.verdict}", "message": _xml(f"{c.gate.text}: {c.reason}")}
            ET.SubElement(case, tag, said).text = _xml(c.finding.sentence or c.finding.id)
    ET.indent(top, " ")
    return bytes(ET.tostring(top, "utf-8", xml_declaration=True)) + b"\n"


def _xml(text: str) -> str:
    """The text without characters that XML 1.0 forbids."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
