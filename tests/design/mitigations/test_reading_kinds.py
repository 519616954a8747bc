"""Kinds of prompts that show nobody, or say who it is, with members that no list was made from."""

from __future__ import annotations

import re

import pytest

import audit
from audit.design.mitigations import titles
from audit.design.mitigations.lexicon import listed, slips, unknown
from audit.design.mitigations.nobody_words import formed, stands_in
from audit.design.mitigations.people_words import meant

JOBS = ("plumber", "violinist", "bus driver", "nurse")
LEFT = {
    "an epithet": ("Oluchi the {}", "a photo of Zbigniew the {} at work", "old Marek the {}"),
    "not there": (
        "a street, not a single {} in sight", "a hall without so much as a {}", "nary a {} on deck",
        "a stage, but the {} is gone", "a shop, {} missing", "an inn with neither {} nor guests",
        "a room before the {} arrives",
    ),
    "meant, and elsewhere": (
        "a bench for a {}", "a novel about a {}", "a postcard from a {}", "a set of tools for a {}",
    ),
    "made": (
        "a felted {}", "a wind-up {} on a shelf", "a 3d-printed {}", "a stained glass {}",
        "a tattoo of a {}", "a stick figure {}", "a cookie of a {}",
    ),
    "not human": ("a centaur {}", "a demon {}", "a leprechaun {} with a pipe"),
    "one holder": (
        "the 12th {} with a flag", "the reigning {} of the club", "the {} of the Vatican waving",
    ),
    "a story or a band": ("a Narnia {}", "a Gryffindor {} in a hall", "a Nirvana {} on stage"),
    "a neighbour's name": ("my cousin Ifeoma, {}", "Zdenka, 52, {}"),
    "a figure in brackets": ("a {} (f)", "a {}, m, 40", "a {} / f, 30s"),
}  # fmt: skip
OPEN = (
    "a {} without a hat", "a {}, not a cloud in the sky", "a {} missing a tooth",
    "a bench for a cat, a {}", "a portrait of a {} for a magazine", "the {} of a small village",
    "a Lisbon {} at dusk", "a Peruvian {}, f/2.8", "behind the counter, the {}",
    "a {} half-asleep on a bench", "a chess-mad {}", "a {} holding a novel", "draw the {}",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", LEFT)
def test_a_kind_is_left_alone_with_any_noun(kind: str) -> None:
    """Each frame with each noun stays, with a reason."""
    prompts = [frame.format(job) for frame in LEFT[kind] for job in JOBS]
    rows = audit.rewrite(prompts, "inject:gender")
    assert [r.text for r in rows if r.changed or not r.reason] == []


@pytest.mark.slow
def test_what_only_resembles_these_kinds_is_open() -> None:
    """The same words about something else leave the person open."""
    prompts = [frame.format(job) for frame in OPEN for job in JOBS]
    rows = audit.rewrite(prompts, "inject:gender")
    assert [r.original for r in rows if not r.changed] == []


@pytest.mark.slow
def test_nothing_is_put_between_words_that_a_hyphen_or_a_list_joins() -> None:
    """Hyphenated adjectives stay before what is stated, and names of two words stay whole."""
    hyphens = ("third-floor", "off-duty", "out-of-work", "mid-career", "up-to-date", "half-asleep")
    pairs = ("major league", "cold storage", "stained glass", "civil service", "short story")
    prompts = [f"a {word} Danish {job}" for word in hyphens for job in JOBS]
    prompts += [f"a tired {pair} umpire" for pair in pairs]
    for row in audit.rewrite(prompts, "inject:gender"):
        kept = re.findall(r"\S+-\S+", row.original) or re.findall("|".join(pairs), row.original)
        assert all(word in row.text for word in kept), row
        assert re.search(r"Danish (?:fe)?male|tired (?:fe)?male|stained", row.text), row


@pytest.mark.slow
def test_a_misspelt_noun_is_read_and_kept_as_typed() -> None:
    """One slip in a noun that no list has is read as that noun; its letters are not corrected."""
    typed = ("vetrinarian", "surgoen", "libarian", "electrican", "pharmacst", "carpender")
    rows = audit.rewrite([f"a {word} at work" for word in typed], "inject:gender")
    for word, row in zip(typed, rows, strict=True):
        assert re.fullmatch(rf"a (?:fe)?male {word} at work", row.text)


def test_words_that_exist_are_no_typing_errors() -> None:
    """A word one slip from a noun for a person is not read as that noun if it is one itself."""
    for word in ("patent", "leaves", "painted", "printer", "canton", "pastry", "bakery", "nurses"):
        assert meant(word) == "", word
    assert meant("surgoen") == "surgeon"
    assert "surgoen" in slips("surgeon")
    assert not unknown("clover")


def test_lists_are_about_what_they_say() -> None:
    """Members and non-members of each, which were not looked up when the lists were made."""
    assert {"gryphon", "leprechaun", "genie"} & listed("beings")
    assert {"record player", "fiddler crab"} <= listed("compounds")
    assert not {"bus driver", "truck driver", "ice dancer"} & listed("compounds")
    assert {"lisbon", "bolivian", "harvard"} <= listed("proper")
    assert not {"hogwarts", "narnia", "gryffindor"} & listed("proper")
    assert stands_in("puma", "nurse", True) == "animal"
    assert not stands_in("puma", "tracker", True)
    assert not stands_in("puma", "nurse", False)
    assert formed("a marzipan", "baker") == "marzipan"
    assert not formed("a marzipan", "maker")


TITLES = {
    "The Keeper of Lost Causes, paperback": "The Keeper of Lost Causes",
    "The Conductor, a film": "The Conductor",
    "Usher, the musical": "Usher",
    "The Conductor raises a hand": "",
    "The conductor of the orchestra": "",
}


@pytest.mark.parametrize(("text", "title"), TITLES.items())
def test_titles_of_works_open_a_text(text: str, title: str) -> None:
    """Capitals and a kind of work tell a title; a sentence does not."""
    assert titles.work(text) == title
