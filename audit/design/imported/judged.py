"""A table of labels as judgements: columns found by name, words folded, unknown ones refused.

One row per image (wide, a column per attribute) or one row per image and attribute (long, columns
`attribute` and `value`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from audit.datasets import answers, cells, strict
from audit.errors import UserError, say, unknown
from audit.keys import BASELINE, OUTCOMES
from audit.records import Attribute, Suite

MAX_ROWS = 5_000_000
LONGEST = 200
"""Characters of the words that a note lists; the report clips longer notes."""
SUBJECT = ("subject", "occupation", "profession", "job", "concept")
PROMPT = ("prompt", "text", "caption")
SAMPLE = ("sample", "image", "file_name", "filename", "file", "path", "id")
RATER = ("rater", "annotator", "coder", "worker")
ARM = ("arm", "mitigation")
VALUE = ("value", "label")
WITHOUT = {"", BASELINE, "baseline"}
"""Words for the baseline in a column of arms, folded."""
NOTHING = {"", "n/a", "#n/a", "na", "nan", "null", "nil", "-", "--", "?"}
"""What programs and people write, folded, where there is no name."""
WAY = (
    'If they mean that there is no answer, add --missing "{words}"; where one is a class of its '
    'own, add it to --classes "{attribute}={classes},...".'
)


@dataclass(frozen=True)
class Columns:
    """Places of the table's columns by role; None for a role without a column."""

    subject: int | None
    prompt: int | None
    sample: int | None
    rater: int | None
    arm: int | None
    attribute: int | None
    value: int | None
    outcome: int | None
    seed: int | None


@dataclass(frozen=True)
class Judged:
    """Every judgement of a table, with notes on what was folded and what was left out."""

    rows: pd.DataFrame
    """sample, subject, prompt, arm, attribute, outcome, value, rater, and seed if there is one."""
    raters: bool
    notes: list[str]


def read(path: Path, expected: Sequence[str] = ()) -> strict.Table:
    """The table as text cells; raises UserError if it is unreadable, empty or too long."""
    try:
        if path.suffix.lower() == ".parquet":
            return _parquet(path)
        roles = (*SUBJECT, *PROMPT, *SAMPLE, *RATER, *ARM, *VALUE, "attribute", "outcome", "seed")
        return strict.read(path, MAX_ROWS, (*roles, *expected), ours=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no table of labels at {path}. Give a CSV or Parquet.") from error


def _parquet(path: Path) -> strict.Table:
    try:
        import pyarrow.parquet as parquet

        file = parquet.ParquetFile(path)
        if file.metadata.num_rows > MAX_ROWS:
            raise UserError(f"{path} has over {MAX_ROWS} rows. Split it, and score each part.")
        header = strict.checked(file.schema_arrow.names, path)
        table = parquet.read_table(path).to_pandas().astype("string").fillna("")
    except (UserError, FileNotFoundError):
        raise
    except Exception as error:  # readers of Parquet raise many kinds for damaged files
        first = " ".join(str(error).split())[:160]
        raise UserError(f"{path} cannot be read as a table of labels: {first}.") from error
    table = table[list(file.schema_arrow.names)]
    numbered = enumerate(table.itertuples(index=False, name=None), 1)
    kept = [(i, list(row)) for i, row in numbered if any(c.strip() for c in row)]
    if not kept:
        raise UserError(f"{path} has no rows. Put some in.")
    return strict.Table(path, header, [row for _, row in kept], [i for i, _ in kept], "row")


def _columns(table: strict.Table) -> Columns:
    """Find the columns by their usual names; raises UserError where one is missing."""
    at = Columns(
        *(table.find(n) for n in (SUBJECT, PROMPT, SAMPLE, RATER, ARM, ("attribute",), VALUE,
                                  ("outcome",), ("seed",)))
    )  # fmt: skip
    if at.subject is None and at.prompt is None:
        raise UserError(
            f"{table.path} has no column that says what was asked for. Name one `subject` (or "
            f"`prompt`); it has {table.named()}."
        )
    if at.rater is not None and at.sample is None:
        raise UserError(
            f"{table.path} names raters and no images, so several judgements of one image would "
            "count as several images. Name the images in a column `image`."
        )
    if at.attribute is not None and at.value is None:
        raise UserError(
            f"{table.path} has a column `attribute` but none named `value`. Name one so."
        )
    return at


def load(path: Path, template: Suite, missing: Sequence[str] = ()) -> Judged:
    """The judgements in a table, read against a suite's attributes.

    Subjects, attributes and classes are the same whatever their capitals, Unicode form and spaces.
    `missing` are words for which there is no label. Raises UserError, with the line, for whatever
    is neither a class nor a reason for a missing one, for unknown outcomes, for images or subjects
    without a name, and for a seed that is not a whole number.
    """
    # The subject attribute does not describe people, and the table has its own subject column.
    by_name = {a.name: a for a in template.attributes if a.name != template.subject_attribute}
    table = read(path, list(by_name))
    at = _columns(table)
    frame = pd.DataFrame({"at": range(len(table.rows))})
    subject = _filled(table, at.subject if at.subject is not None else at.prompt, "subject")
    known = [p.subject for p in template.prompts]
    known += [s for r in template.references for s, _, _ in r.shares]
    subjects, spelled = _spelled(subject, known)
    frame["subject"] = subjects
    notes = _said(spelled, "Subjects")
    frame["prompt"] = subjects if at.prompt is None else _spelled(table.column(at.prompt), ())[0]
    frame["sample"] = (
        [str(n + (table.unit == "row")) for n in table.lines] if at.sample is None
        else [cells.tidy(c) for c in _filled(table, at.sample, "image")]
    )  # fmt: skip
    frame["arm"] = _arms(table, at.arm, template)
    frame["rater"] = "" if at.rater is None else _spelled(table.column(at.rater), ())[0]
    if at.seed is not None:
        frame["seed"] = pd.array(list(_seeds(table, at.seed)), dtype="Int64")
    long, asked, more = _long(table, at, by_name)
    judged = frame.iloc[long["at"].to_numpy()].reset_index(drop=True)
    judged = judged.assign(attribute=long.attribute.to_numpy(), **_readings(
        table, at.outcome, long, {n: by_name[n] for n in asked}, missing, more))  # fmt: skip
    read_ = [getattr(at, role) for role in Columns.__annotations__]
    names = [] if at.attribute is not None else [table.find([n]) for n in asked]
    gone = table.unread([*read_, *names])
    if gone:
        more.append(say("Columns that were not read: {names}.", names=_some(gone)))
    columns = ["sample", "subject", "prompt", "arm", "attribute", "outcome", "value", "rater"]
    columns += ["seed"] if at.seed is not None else []
    return Judged(judged[columns], at.rater is not None, [*notes, *more])


def _some(words: Sequence[str]) -> str:
    """The first words, as many as fit a note, and how many more there are."""
    shown: list[str] = []
    for w in words:
        if shown and sum(map(len, shown)) + len(w) > LONGEST:
            break
        shown.append(w[:LONGEST])
    more = f", and {len(words) - len(shown)} more" if len(words) > len(shown) else ""
    return ", ".join(shown) + more


def _filled(table: strict.Table, place: int | None, what: str) -> list[str]:
    """The cells of a column that names something in every row; UserError for an empty one."""
    assert place is not None  # the callers' columns are there
    found = table.column(place)
    for row, cell in enumerate(found):
        if cells.fold(cell) in NOTHING:
            said = f" ({cells.tidy(cell)!r})" if cells.tidy(cell) else ""
            raise UserError(
                f"{table.where(row)} names no {what}{said}. Fill it in, or take the row out."
            )
    return found


def _spelled(
    words: Sequence[str], known: Sequence[str]
) -> tuple[list[str], dict[str, Counter[str]]]:
    """Each word in one spelling: the known one, or else its most frequent; and all spellings."""
    seen: dict[str, Counter[str]] = {}
    keys = {w: cells.fold(w) for w in dict.fromkeys(words)}
    for w, n in Counter(words).items():
        seen.setdefault(keys[w], Counter())[cells.tidy(w)] += n
    one = {key: found.most_common(1)[0][0] for key, found in seen.items()}
    one |= {k: w for w in reversed(known) if (k := cells.fold(w)) in one}
    spelled = {w: one[k] for w, k in keys.items()}
    return [spelled[w] for w in words], {one[k]: found for k, found in seen.items()}


def _said(spelled: Mapping[str, Counter[str]], what: str) -> list[str]:
    several = [
        f"{name} ({', '.join(f'{w} {n}' for w, n in found.items())})"
        for name, found in spelled.items()
        if len(found) > 1
    ]
    if not several:
        return []
    return [say("{what} that are spelled in several ways count as one: {names}.", what=what,
                names=_some(several))]  # fmt: skip


def _arms(table: strict.Table, place: int | None, template: Suite) -> list[str]:
    if place is None:
        return [BASELINE] * len(table.rows)
    found, _ = _spelled(table.column(place), [m.name for m in template.mitigations])
    for row, arm in enumerate(found):
        if cells.fold(arm) in NOTHING - WITHOUT:
            raise UserError(
                f"{table.where(row)}: {arm!r} names no arm. Leave the cell empty where nothing was "
                "done."
            )
    return [BASELINE if cells.fold(arm) in WITHOUT else arm for arm in found]


def _seeds(table: strict.Table, place: int) -> Iterator[int | None]:
    for row, word in enumerate(table.column(place)):
        plain = re.fullmatch(r"(-?[0-9]{1,18})(\.0*)?", cells.tidy(word))
        if cells.tidy(word) and not plain:
            better = cells.meant(word, percent=False)
            right = f"Write {better}, or leave" if better.isdigit() else "Correct it, or leave"
            raise UserError(
                f"{table.where(row)}: seed {word[:40]!r} is not a whole number. {right} the cell "
                "empty."
            )
        yield int(plain[1]) if plain else None


def _long(
    table: strict.Table, at: Columns, known: Mapping[str, Attribute]
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """One row per judgement (at, attribute, value), the attributes that are there, and notes."""
    if at.attribute is not None and at.value is not None:
        return _listed(table, at.attribute, at.value, known)
    places = {n: place for n in known if (place := table.find([n])) is not None}
    if not places:
        raise UserError(
            f"{table.path} has no column named after an attribute ({', '.join(known)}). Name one "
            f"so, or declare another attribute with --classes name=one,two; it has {table.named()}."
        )
    rows = range(len(table.rows))
    parts = [
        pd.DataFrame({"at": rows, "attribute": n, "value": table.column(place)})
        for n, place in places.items()
    ]
    return pd.concat(parts, ignore_index=True), list(places), []


def _listed(
    table: strict.Table, attribute: int, value: int, known: Mapping[str, Attribute]
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The rows of a long table whose attribute is known; notes count the others."""
    by_key = {cells.name(n): n for n in known}
    named = _filled(table, attribute, "attribute")
    keys = {w: by_key.get(cells.name(w)) for w in dict.fromkeys(named)}
    gone = Counter(cells.tidy(w) for w in named if keys[w] is None)
    if len(keys) and not any(keys.values()):
        raise UserError(f"{table.path}: {unknown('attribute', next(iter(gone)), known)}")
    kept = [(i, keys[w], table.rows[i][value]) for i, w in enumerate(named) if keys[w] is not None]
    notes = list[str]()
    if gone:
        said = _some([f"{w} {n}" for w, n in gone.most_common()])
        notes.append(
            say("Rows about attributes that the suite does not have were not read: {names} ({n} of "
                "{all} rows).", names=said, n=gone.total(), all=len(named))
        )  # fmt: skip
    long = pd.DataFrame(kept, columns=["at", "attribute", "value"])
    return long, [n for n in known if n in set(long.attribute)], notes


def _readings(
    table: strict.Table, outcome: int | None, long: pd.DataFrame,
    attributes: Mapping[str, Attribute], missing: Sequence[str], notes: list[str],
) -> dict[str, list[str | None]]:  # fmt: skip
    """Outcome and value of every judgement; UserError names all unknown words at once."""
    silent = {cells.fold(w): w for w in missing}
    reasons = {**answers.ABSTAINED, **dict.fromkeys(silent, "uncertain")}
    words = {n: answers.Words(n, a.classes, reasons) for n, a in attributes.items()}
    for key, word in silent.items():
        for said in words.values():
            if said.class_of(key) is not None:
                raise UserError(f"--missing {word!r} is a class of {said.attribute}. Leave it out.")
    stated = [""] * len(table.rows) if outcome is None else _outcomes(table, outcome)
    pairs = list(zip(long.attribute.tolist(), long.value.tolist(), strict=True))
    kinds = Counter(pairs)
    found = {(a, w): words[a].read(w) for a, w in kinds}
    unclear: dict[tuple[str, str], list[int]] = {}
    read: list[tuple[str, str | None]] = []
    for at, (attribute, value) in zip(long["at"].tolist(), pairs, strict=True):
        reading, why = found[attribute, value], stated[at]
        if why in OUTCOMES[1:] and (reading is None or reading[0] == "label" or not value.strip()):
            reading = (why, None)
        if reading is None or (why == "label" and reading[0] != "label"):
            unclear.setdefault((attribute, cells.tidy(value)), []).append(at)
            reading = ("uncertain", None)
        read.append(reading)
    strange = [answers.Strange(a, w, len(rows), table.where(rows[0]))
               for (a, w), rows in unclear.items()]  # fmt: skip
    strange.sort(key=lambda s: unclear[s.attribute, s.word][0])
    answers.refuse(strange, words, WAY, table.path)
    notes += _taken(silent, kinds)
    return {"outcome": [o for o, _ in read], "value": [v for _, v in read]}


def _outcomes(table: strict.Table, place: int) -> list[str]:
    """The outcome of each row, empty where none is given; UserError for an unknown one."""
    known = {cells.name(o): o for o in OUTCOMES}
    found = [known.get(cells.name(c), "") for c in table.column(place)]
    for row, (cell, got) in enumerate(zip(table.column(place), found, strict=True)):
        if not got and cells.tidy(cell):
            said = unknown("outcome", cells.tidy(cell)[:60], OUTCOMES)
            raise UserError(f"{table.where(row)}: {said} Correct it, or leave the cell empty.")
    return found


def _taken(silent: Mapping[str, str], kinds: Counter[tuple[str, str]]) -> list[str]:
    """A note on the cells that say one of the words that were declared as no answer."""
    if not silent:
        return []
    counts = dict.fromkeys(silent, 0)
    for (_, value), n in kinds.items():
        if cells.fold(value) in counts:
            counts[cells.fold(value)] += n
    said = ", ".join(f"{silent[k]} {n}" for k, n in counts.items())
    return [say("{n} cells count as uncertain because their word means no answer (--missing): "
                "{words}.", n=sum(counts.values()), words=said)]  # fmt: skip
