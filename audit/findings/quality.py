"""Measurement error: classifier errors, abstention, human labels, and recognised subjects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from audit.errors import figure, ours, say
from audit.findings.claim import Claim, Counts, finding
from audit.findings.wording import estimate, p_value, percent
from audit.keys import BASELINE, Key
from audit.records import Attribute, Finding
from audit.stats.abstention import (
    Missingness,
    Threshold,
    differential_missingness,
    guaranteed_threshold,
)
from audit.stats.decisions import exceeds
from audit.stats.intersections import dependence
from audit.stats.interval import Interval
from audit.stats.labels import stratified_share
from audit.stats.proportions import effective_n, wilson


def classifier(
    confusion: Mapping[str, np.ndarray], attributes: Sequence[Attribute],
    sources: Mapping[str, str],
) -> list[Finding]:  # fmt: skip
    """Share of validation images that the classifier reads correctly, per attribute and class.

    `confusion` float[K, K] per attribute, rows true; rows may be weighted to an effective number.
    """
    out = []
    for attribute in attributes:
        table = confusion.get(attribute.name)
        if table is None:
            continue
        source = sources[attribute.name]
        whole = _key("classifier", attribute.name)
        out.append(_right(whole, "all classes", (np.trace(table), table.sum()), source))
        for i, name in enumerate(attribute.classes):
            key = classifier_key(attribute.name, name)
            out.append(_right(key, name, (table[i, i], table[i].sum()), source))
    return out


def classifier_key(attribute: str, value: str) -> Key:
    """The key of the share of a class's images that the classifier reads correctly."""
    return _key("classifier-class", attribute, value)


def _key(kind: str, attribute: str = "", detail: str = "") -> Key:
    return Key("quality", BASELINE, "", attribute, kind, detail)


def _right(key: Key, where: str, counted: tuple[float, float], source: str) -> Finding:
    k, size = map(float, counted)
    ci, n, name = wilson(min(k, size), size), round(size), key.attribute.replace("_", " ")
    claim = Claim(
        key, "share read correctly", say("{name}: {where}", name=name, where=where), "share",
        "images",
        say("Wilson; {source}", source=source),
    )  # fmt: skip
    return finding(
        claim,
        ci,
        Counts(n, size),
        verdict="described",
        sentence=(
            say(
                "The classifier reads {name} rightly in {share} of {n} {source}.",
                name=name,
                share=estimate(ci.estimate, ci.low, ci.high),
                n=n,
                source=source,
            )
        ),
    )


def subjects(table: pd.DataFrame, seed: int) -> list[Finding]:
    """Share of baseline images in which the prompted subject is recognised.

    `table` has prompt, arm, subject and subject_read (True, False or None).
    """
    rows = table[(table.arm == BASELINE)].dropna(subset=["subject_read"])
    if rows.empty:
        return []
    hits = rows.subject_read.to_numpy(float)
    ci = wilson(int(hits.sum()), len(rows))
    claim = Claim(
        _key("subject-read"), "share in which the classifier recognises the subject",
        "images of a prompted subject", "share", "images", "Wilson",
    )  # fmt: skip
    return [
        finding(
            claim,
            ci,
            Counts(len(rows), effective_n(hits, pd.factorize(rows.prompt)[0])),
            verdict="described",
            sentence=say(
                "The prompted subject is recognised in {share} of {n} images.",
                share=estimate(ci.estimate, ci.low, ci.high),
                n=len(rows),
            ),
        )
    ]


def people(judged: pd.DataFrame, settled: pd.DataFrame) -> list[Finding]:
    """Findings from human labels other than errors: how often people see no such attribute.

    `judged` contains single judgements, `settled` one row per image and attribute.
    """
    out = []
    for attribute, part in settled.groupby("attribute", sort=True) if len(settled) else ():
        none = int((part.outcome != "label").sum())
        ci, name = wilson(none, len(part)), str(attribute).replace("_", " ")
        raters = int(judged[judged.attribute == attribute].rater.nunique())
        reasons = part[part.outcome != "label"].outcome.value_counts()
        claim = Claim(
            _key("people", str(attribute)), "share of read images in which people could not say",
            say("{name}: labelled by people", name=name), "share", "images", say(
                "Wilson; {raters} raters, majority",
                raters=raters
            ),
        )  # fmt: skip
        why = {str(k): int(v) for k, v in sorted(reasons.items())}
        out.append(
            finding(
                claim,
                ci,
                Counts(len(part), float(len(part)), 0, why),
                verdict="described",
                sentence=(
                    say(
                        "People could not say the {name} in {share} of {n} images that the "
                        "classifier had read.",
                        name=name,
                        share=estimate(ci.estimate, ci.low, ci.high),
                        n=len(part),
                    )
                ),
            )
        )
    return out


GRID = np.linspace(0.0, 0.99, 100)
"""Candidate thresholds, fixed before any data are seen."""
RISK = 0.05
"""Largest share of wrong labels that a threshold must guarantee."""


def abstention(
    calibration: Mapping[str, tuple[np.ndarray, np.ndarray]], attributes: Sequence[Attribute]
) -> list[Finding]:
    """Costs and benefits of each attribute's threshold, and the lowest that guarantees RISK.

    `calibration` has confidence float[n] and wrong bool[n] of images whose class is known.
    """
    out = []
    for attribute in attributes:
        if attribute.name not in calibration:
            continue
        score, wrong = calibration[attribute.name]
        kept = score >= attribute.threshold
        ci, name = wilson(int(wrong[kept].sum()), int(kept.sum())), attribute.name.replace("_", " ")
        best = guaranteed_threshold(score, wrong, GRID, RISK)
        claim = Claim(
            _key("abstention", attribute.name),
            "share of kept labels that are wrong, on images whose class is known",
            say(
                "{name}: labels at its threshold {threshold}",
                name=name, threshold=figure(f'{attribute.threshold:g}')
            ), "share", "images",
            "risk and coverage; Clopper-Pearson over a fixed grid, Bonferroni",
        )  # fmt: skip
        n, unsure = int(kept.sum()), int((~kept).sum())
        out.append(
            finding(
                claim,
                ci,
                Counts(n, float(n), unsure, {"uncertain": unsure} if unsure else {}),
                verdict="described" if kept.any() else "undecided",
                sentence=say(
                    "At its threshold of {threshold}, the reader of {name} keeps {kept} of "
                    "{n} images whose class is known and errs in {share} of them; {promise}.",
                    threshold=figure(f"{attribute.threshold:g}"),
                    name=name,
                    kept=percent(float(kept.mean())),
                    n=len(kept),
                    share=estimate(ci.estimate, ci.low, ci.high),
                    promise=_promise(best),
                ),
            )
        )
    return out


def _promise(best: Threshold) -> str:
    """The lowest threshold that keeps its promise."""
    risk = percent(RISK)
    if best.threshold == 0:
        return say("no threshold is needed for at most {risk}", risk=risk)
    if not np.isfinite(best.threshold):
        return say("for a promise of at most {risk}, {reason}", risk=risk, reason=ours(best.reason))
    return say(
        "the lowest threshold that is shown to err in at most {risk} is {threshold}, which keeps "
        "{share}", risk=risk, threshold=figure(f"{best.threshold:.2f}"),
        share=percent(best.coverage.estimate),
    )  # fmt: skip


def missing_by_subject(
    table: pd.DataFrame, attributes: Sequence[Attribute], seed: int
) -> list[Finding]:
    """Whether some subjects' baseline images lack a label more often than others'."""
    out = []
    for attribute in attributes:
        rows = table[(table.arm == BASELINE) & (table.attribute == attribute.name)]
        subjects = list(dict.fromkeys(rows.subject))
        lost = rows.outcome != "label"
        if len(subjects) < 2 or not lost.any():
            continue
        got = _uneven(rows, subjects, seed)
        p, n = got.p, len(rows)
        most, least = (subjects[i] for i in got.pair)
        ci, name = got.difference, attribute.name.replace("_", " ")
        known = np.isfinite(p)
        differ = known and p < 0.05
        of_most, of_least = (percent(got.shares[i].estimate) for i in got.pair)
        shares = say("{of_most} of {most}, {of_least} of {least}", of_most=of_most, most=most,
                     of_least=of_least, least=least)  # fmt: skip
        claim = Claim(
            _key("missing-by-subject", attribute.name),
            "largest gap between subjects in images without a label",
            say("{name}: images without a label, {n} subjects", name=name, n=len(subjects)),
            "distance", "images",
            "exchange of whole prompts; Newcombe's limits at effective n, for all pairs at once",
        )  # fmt: skip
        out.append(
            finding(
                claim,
                ci,
                Counts(n, float(n), int(lost.sum())),
                p=p,
                floor=got.floor,
                floor_high=got.floor_high,
                verdict=exceeds(p),
                sentence=(
                    say(
                        "Some subjects' images lack a {name} label more often than others' "
                        "({shares}; p = {p}, n = {n})."
                        if differ
                        else "No subjects' images are shown to lack a {name} label more often than "
                        "others' ({shares}; p = {p}, n = {n}).",
                        name=name,
                        shares=shares,
                        p=p_value(p),
                        n=n,
                    )
                    if known
                    else say("Whether {name} labels are missing unevenly is not known.", name=name)
                ),
            )
        )
    return out


def _uneven(rows: pd.DataFrame, subjects: Sequence[str], seed: int) -> Missingness:
    """Whether labels are missing more often in some subjects, prompts being exchanged whole."""
    prompts = rows.assign(lost=rows.outcome != "label").groupby(["subject", "prompt"]).lost
    counted = prompts.agg(["sum", "size"])
    place = {s: i for i, s in enumerate(subjects)}
    groups = counted.index.get_level_values("subject").map(place).to_numpy(int)
    return differential_missingness(
        counted["sum"].to_numpy(int), counted["size"].to_numpy(int), groups,
        np.random.default_rng(seed),
    )  # fmt: skip


def with_subjects(settled: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Images that people labelled, with subject and arm: also attribute, value and read.

    `settled` as in `people`; `table` has ATTRIBUTE_COLUMNS. Images that people could not label are
    left out.
    """
    columns = ["attribute", "subject", "arm", "value", "read"]
    if settled.empty or table.empty:
        return pd.DataFrame(columns=columns)
    where = table[["sample", "attribute", "subject", "arm"]].drop_duplicates()
    rows = settled[settled.outcome == "label"][["sample", "attribute", "value", "read"]]
    return rows.merge(where, on=["sample", "attribute"])[columns]


def uneven_errors(
    labelled: pd.DataFrame, attributes: Sequence[Attribute], seed: int
) -> list[Finding]:
    """Whether what people see is read alike in all subjects, as a common correction assumes.

    `labelled` is of `with_subjects`. Readings are shuffled over subjects among images of which
    people say the same, so subjects may differ in what they show. Drawing more of one reading
    changes no such comparison: it multiplies all subjects' odds by one factor.
    """
    out = []
    for attribute in attributes:
        rows = labelled[labelled.attribute == attribute.name]
        if rows.subject.nunique() < 2:
            continue
        read, subject, seen = (pd.factorize(rows[c])[0] for c in ("read", "subject", "value"))
        got = dependence(read, subject, seen, np.random.default_rng(seed))
        name, many, n = attribute.name.replace("_", " "), rows.subject.nunique(), len(rows)
        known = np.isfinite(got.p)
        differ = known and got.p < 0.05
        claim = Claim(
            _key("uneven-errors", attribute.name),
            "bits that the subject tells of a reading, given what people see",
            say("{name}: labelled by people, {many} subjects", name=name, many=many),
            "bits", "images",
            "conditional mutual information; permutation p within what people see",
        )  # fmt: skip
        out.append(
            finding(
                claim,
                Interval(got.bits, math.nan, math.nan),
                Counts(n, float(n)),
                p=got.p,
                floor=got.floor,
                verdict=exceeds(got.p),
                sentence=(
                    say(
                        "The reader's errors on {name} {how} between {many} subjects (p = {p}, n "
                        "= {n}).",
                        name=name,
                        how="differ" if differ else "are not shown to differ",
                        many=many,
                        p=p_value(got.p),
                        n=n,
                    )
                    if known
                    else say(
                        "Whether {name} is read alike in all subjects is not known.", name=name
                    )
                ),
            )
        )
    return out


def labelled_shares(
    settled: pd.DataFrame, sizes: Mapping[tuple[str, str], int], attributes: Sequence[Attribute]
) -> list[Finding]:
    """Shares over all read images by people's labels alone, unaffected by classifier errors.

    `settled` as in `people`; `sizes` says how many images were read as each (attribute, class).
    """
    out = []
    for attribute in attributes:
        rows = settled[(settled.attribute == attribute.name) & (settled.outcome == "label")]
        if rows.empty:
            continue
        place = {c: i for i, c in enumerate(attribute.classes)}
        true, read = (rows[c].map(place).to_numpy(int) for c in ("value", "read"))
        counts = np.array([sizes.get((attribute.name, c), 0) for c in place])
        for c in attribute.classes[:1] if len(place) == 2 else attribute.classes:
            ci = stratified_share(true, read, counts, place[c]).interval
            known = np.isfinite(ci.estimate)
            claim = Claim(
                _key("people-share", attribute.name, c), say(
                    "share of {c}, by people's labels alone",
                    c=c
                ),
                say("{name}: all read images", name=attribute.name.replace('_', ' ')),
                "share", "images",
                "stratified by what was read (Cochran 1977, sec. 12.2)",
            )  # fmt: skip
            out.append(
                finding(
                    claim,
                    ci,
                    Counts(len(rows), float(len(rows))),
                    verdict="described" if known else "undecided",
                    sentence=(
                        say(
                            "By {n} human labels alone, {c} is shown in {share} of all read "
                            "images.",
                            n=len(rows),
                            c=c,
                            share=estimate(ci.estimate, ci.low, ci.high),
                        )
                    ),
                )
            )
    return out
