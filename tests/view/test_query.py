"""Filters and orders of the wall, against plain pandas on the tables that were written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.errors import UserError
from audit.records import Sample
from audit.store import RunFolder
from audit.view import query, table
from audit.view.query import Query
from tests.sizes import sized
from tests.view import made


def wide(run: made.Made) -> pd.DataFrame:
    """The run's tables joined by plain pandas, row by planned row."""
    rows = pd.DataFrame([{"sample": s.id, "prompt": s.prompt, "arm": s.arm, "seed": s.seed,
                          "text": s.text} for s in run.samples])  # fmt: skip
    keys = ["sample", "prompt", "arm", "seed"]
    for name, part in run.attributes.groupby("attribute"):
        part = part.rename(columns={c: f"{name}.{c}" for c in ("outcome", "value", "score")})
        keep = [*keys, *(c for c in part if str(c).startswith(f"{name}."))]
        rows = rows.merge(part[keep], on=keys, how="left")
    subjects = run.attributes[[*keys, "subject"]].drop_duplicates()
    matches = run.matches.rename(columns={"outcome": "match"})
    return rows.merge(subjects, on=keys, how="left").merge(matches, on=keys, how="left")


CASES: dict[str, tuple[Query, Callable[[pd.DataFrame], pd.Series]]] = {
    "text": (Query(words="DIVERSE judge"), lambda t: t.text.str.contains("judge, diverse")),
    "arm": (Query(arm="rewrite"), lambda t: t.arm == "rewrite"),
    "subject": (Query(subject="chef"), lambda t: t.subject == "chef"),
    "prompt": (Query(prompt="p/2"), lambda t: t.prompt == "p/2"),
    "value": (
        Query(readings=(("gender", "is:woman"), ("skin_tone", "is:dark"))),
        lambda t: (t["gender.value"] == "woman") & (t["skin_tone.value"] == "dark"),
    ),
    "outcome": (
        Query(readings=(("gender", "why:no person"),)),
        lambda t: t["gender.outcome"] == "no person",
    ),
    "without": (Query(readings=(("gender", "why:any"),)), lambda t: t["gender.outcome"] != "label"),
    "labelled": (
        Query(readings=(("gender", "why:label"),)), lambda t: t["gender.outcome"] == "label",
    ),
    "range": (Query(low=0.4, high=0.8), lambda t: (t.score >= 0.4) & (t.score <= 0.8)),
    "copy": (Query(copy="yes"), lambda t: t["copy"] == True),  # noqa: E712
    "single": (Query(copy="single"), lambda t: t.single == "its pixels"),
    "no copy": (Query(copy="no"), lambda t: t["copy"] == False),  # noqa: E712
    "open": (Query(copy="open"), lambda t: t["copy"].isna()),
    "missing": (
        Query(missing="uncertain"),
        lambda t: (t["gender.outcome"] == "uncertain") | (t["skin_tone.outcome"] == "uncertain"),
    ),
    "any missing": (
        Query(missing="any"),
        lambda t: (t["gender.outcome"] != "label") | (t["skin_tone.outcome"] != "label"),
    ),
    "nothing": (Query(subject="nobody"), lambda t: t.subject == "nobody"),
    "not read": (Query(readings=(("age", "is:old"),)), lambda t: t.subject == "nobody"),
}  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_filters_say_what_pandas_says(tmp_path: Path, seed: int) -> None:
    """Every filter holds for exactly the rows that a plain join of the tables gives."""
    run = made.run(tmp_path, n=60, seed=seed, images=False)
    joined, gathered = wide(run), table.gather(run.folder)
    for name, (asked, expected) in CASES.items():
        want = np.flatnonzero(expected(joined).to_numpy(bool))
        assert list(query.choose(gathered, asked)) == list(want), name
        assert len(want) or name in ("nothing", "not read")


@pytest.mark.parametrize(
    ("sort", "column", "ascending"),
    [("near", "score", False), ("far", "score", True), ("least.gender", "gender.score", True),
     ("most.skin_tone", "skin_tone.score", False), ("text", "text", True)],
)  # fmt: skip
def test_orders_say_what_pandas_says(
    tmp_path: Path, sort: str, column: str, ascending: bool
) -> None:
    """Sorted as pandas sorts, unknown values last, ties as planned."""
    run = made.run(tmp_path, n=50, seed=4, images=False)
    want = wide(run).sort_values(column, ascending=ascending, kind="stable", na_position="last")
    assert list(query.choose(table.gather(run.folder), Query(sort=sort))) == list(want.index)


def test_filters_hold_together_and_an_id_is_found(tmp_path: Path) -> None:
    """Two filters are an "and"; the id of an image finds all its rows and nothing else."""
    run = made.run(tmp_path, n=40, seed=5, images=False)
    gathered = table.gather(run.folder)
    one = set(query.choose(gathered, Query(arm="rewrite")))
    two = set(query.choose(gathered, Query(copy="yes")))
    assert set(query.choose(gathered, Query(arm="rewrite", copy="yes"))) == one & two
    shared = run.samples[0].id  # its rewriting left the text alone
    assert list(query.choose(gathered, Query(words=shared))) == [0, 40]


def test_tables_may_be_in_another_order(tmp_path: Path) -> None:
    """A row is looked up by its id unless the table is as planned; the answers are the same."""
    run = made.run(tmp_path, n=40, seed=5, images=False)
    before = table.gather(run.folder)
    mixed = [t.sample(frac=1, random_state=1) for t in (run.attributes, run.matches)]
    made.finish(run.folder, run.samples, *mixed)
    after = table.gather(run.folder)
    for name, (asked, _) in CASES.items():
        assert list(query.choose(after, asked)) == list(query.choose(before, asked)), name


words = st.text(max_size=12).map(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    words=words, subject=words, low=st.sampled_from([math.nan, -0.5, 0.25]),
    copy=st.sampled_from(["", "single", "yes", "no", "open"]), size=st.sampled_from(query.SIZES),
    page=st.integers(1, 10**6), value=st.text(min_size=1, max_size=9),
)  # fmt: skip
def test_an_address_says_all_of_the_question(  # noqa: PLR0913 - one for each field
    words: str, subject: str, low: float, copy: str, size: int, page: int, value: str
) -> None:
    """What is written into an address is read back from it, whatever the words are."""
    from starlette.datastructures import QueryParams

    asked = Query(words=words, subject=subject, low=low, copy=copy, size=size, page=page,
                  readings=(("gender", f"is:{value}"),))  # fmt: skip
    back = query.read(QueryParams(asked.address().partition("?")[2]))
    assert repr(back) == repr(asked)


@pytest.mark.parametrize("bad", [{"low": "x"}, {"high": "inf"}, {"page": "-1"}, {"page": "²"},
                                 {"size": "1e9"}, {"copy": "maybe"}])  # fmt: skip
def test_an_invalid_query_is_refused(bad: dict[str, str]) -> None:
    """An invalid number and an unknown word are reported in a sentence."""
    with pytest.raises(UserError):
        query.read(bad)


def test_an_order_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    """Sorting by an attribute that was not read is refused."""
    gathered = table.gather(made.run(tmp_path, n=8, images=False).folder)
    with pytest.raises(UserError, match="cannot be sorted"):
        query.choose(gathered, Query(sort="least.age"))


def test_ids_that_are_not_file_names_are_refused(tmp_path: Path) -> None:
    """A plan whose ids lead out of the run folder is not opened."""
    run = made.run(tmp_path, n=8, images=False)
    run.folder.write_plan([replace(run.samples[0], id="../../../etc/passwd")])
    with pytest.raises(UserError, match="names an image"):
        table.gather(run.folder)


@pytest.mark.slow
@sized("n", 10_000, 100_000)
def test_many_images_are_filtered_and_sorted(n: int, tmp_path: Path) -> None:
    """Of very many images, text, similarity and reading choose those that pandas chooses."""
    rng = np.random.default_rng(6)
    samples = [Sample(f"{i:020x}", f"p/{i % 4}", "none", i, f"photo {i} of a nurse")
               for i in range(n)]  # fmt: skip
    ids = [s.id for s in samples]
    common = {"sample": ids, "prompt": [s.prompt for s in samples], "arm": "none",
              "seed": np.arange(n)}  # fmt: skip
    attributes = pd.DataFrame({
        **common, "subject": "nurse", "attribute": "gender", "outcome": "label",
        "value": rng.choice(["woman", "man"], n), "score": rng.random(n),
    })  # fmt: skip
    matches = pd.DataFrame({
        **common, "score": rng.random(n), "held_score": rng.random(n), "held": "h", "train": ids,
        "train_caption": "c", "repeats": 1, "copy": rng.random(n) > 0.9, "outcome": "label",
    })  # fmt: skip
    run = RunFolder(tmp_path)
    made.finish(run, samples, attributes, matches)
    gathered = table.gather(run)
    asked = Query(words="7 nurse", low=0.3, readings=(("gender", "is:woman"),), sort="near")
    rows = query.choose(gathered, asked)
    keep = ((attributes.value == "woman") & (matches.score >= 0.3)).to_numpy()
    keep = keep & np.array(["7" in s.text for s in samples])
    want = np.flatnonzero(keep)[np.argsort(-matches.score.to_numpy()[keep], kind="stable")]
    assert np.array_equal(rows, want)
