"""Occupations: each noun has a labour share, and the share is the one that was published."""

from __future__ import annotations

import csv

import pytest

from audit.design import suites

Row = dict[str, str]
YEARS = ("2022", "2025")
AMBIGUOUS = {"teacher", "engineer", "scientist", "doctor", "nurse", "bus driver", "truck driver",
             "taxi driver", "artist", "therapist", "secretary", "waiter", "cook"}  # fmt: skip


def rows(name: str) -> list[Row]:
    """A shipped table, row by row, cells as text."""
    with (suites.folder() / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def published() -> dict[str, Row]:
    """Rows of BLS Table 11 for 2022, by title."""
    return {r["occupation"]: r for r in rows("bls_table11_2022.csv")}


def title(row: Row) -> str:
    """The title of the row of Table 11 that a labour share was taken from."""
    return row["source"].split(": ", 1)[1]


def women(year: str) -> dict[str, Row]:
    """The rows of a labour table that give the share of women, by noun."""
    return {r["subject"]: r for r in rows(f"labour_us_{year}.csv") if r["value"] == "woman"}


def test_the_published_table_adds_up() -> None:
    """Its five major groups make up the total: 158,291 thousand employed, 46.8 % of them women."""
    table = published()
    groups = [
        "Management, professional, and related occupations",
        "Service occupations",
        "Sales and office occupations",
        "Natural resources, construction, and maintenance occupations",
        "Production, transportation, and material moving occupations",
    ]
    total = table["Total, 16 years and over"]
    assert (total["employed_thousands"], total["pct_women"]) == ("158291.0", "46.8")
    employed = [float(table[g]["employed_thousands"]) for g in groups]
    assert sum(employed) == pytest.approx(158291, abs=2)
    share = sum(n * float(table[g]["pct_women"]) for n, g in zip(employed, groups, strict=True))
    assert share / sum(employed) == pytest.approx(46.8, abs=0.1)


def test_every_noun_has_the_share_that_was_published() -> None:
    """The suite's references give each noun the share of women in its row of Table 11, 2022."""
    suite, table, labour = suites.read_suite("occupations"), published(), women("2022")
    reference = next(r for r in suite.references if r.name == "labour")
    nouns = {p.subject for p in suite.prompts}
    assert len(nouns) >= 90
    assert nouns == set(labour)
    for noun in nouns:
        share = float(table[title(labour[noun])]["pct_women"]) / 100
        assert reference.share(noun, "gender", "woman") == pytest.approx(share, abs=1e-9), noun
        assert reference.share(noun, "gender", "man") == pytest.approx(1 - share, abs=1e-9), noun


def test_the_later_year_is_the_same_mapping() -> None:
    """2025 has the same nouns, rows and notes, and is as far from 2022 as its source is.

    The mean change over these rows was 3.0 points in a separate transcription of 91 of them, the
    largest 15.2, for chemists.
    """
    old, new = women("2022"), women("2025")
    assert [(n, title(r), r["note"]) for n, r in old.items()] == [
        (n, title(r), r["note"]) for n, r in new.items()
    ]
    change = {n: abs(float(old[n]["share"]) - float(new[n]["share"])) for n in old}
    assert sum(change.values()) / len(change) == pytest.approx(0.031, abs=0.0015)
    assert max(change, key=change.__getitem__) == "chemist"
    assert change["chemist"] == pytest.approx(0.152)


@pytest.mark.parametrize("year", YEARS)
def test_what_a_noun_leaves_open_is_marked(year: str) -> None:
    """Ambiguous nouns say so, and a row under 100,000 employed says how small it is."""
    table = published()
    for noun, row in women(year).items():
        assert row["note"].startswith("ambiguous: ") or noun not in AMBIGUOUS, noun
        thousands = float(table[title(row)]["employed_thousands"])
        said = f"a small row: {thousands:.0f} thousand employed in 2022"
        assert (said in row["note"]) == (thousands < 100), noun
        assert f"averages {year}" in row["source"]
    both = rows(f"labour_us_{year}.csv")
    assert len(both) == 2 * len(women(year))
    assert all(a["note"] == b["note"] for a, b in zip(both[::2], both[1::2], strict=True))


def test_no_two_nouns_share_a_row() -> None:
    """Each noun has a row of its own, so no share is counted twice."""
    titles = [title(r) for r in women("2022").values()]
    assert len(titles) == len(set(titles))


def test_the_arms_are_on_the_nouns_with_many_images() -> None:
    """Thirty nouns with thirty images each carry the mitigations; the others carry none."""
    suite = suites.read_suite("occupations")
    images: dict[tuple[str, str], int] = {}
    for p in suite.prompts:
        images[p.block, p.subject] = images.get((p.block, p.subject), 0) + p.seeds
    assert sorted(images.values()) == [15] * 70 + [30] * 30
    assert {n for (_, n), k in images.items() if k == 30} == {
        p.subject for p in suite.prompts if p.block == "core"
    }
    assert {b for m in suite.mitigations for b in m.blocks} == {"core"}
