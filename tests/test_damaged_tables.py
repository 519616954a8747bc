"""Tables that people make, damaged at random: each is read, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.design import suites
from audit.design.imported import labels
from audit.design.suites import tables
from audit.errors import UserError
from audit.evidence.labels import sheet
from audit.evidence.labels.draw import Drawn, Stratum
from audit.world import marks

CLASSES = {"gender": ("woman", "man")}
WAS = Drawn(
    pd.DataFrame({"sample": ["aa", "bb"], "attribute": "gender", "read": ["woman", "man"]}),
    (Stratum("gender", "woman", 1, 1), Stratum("gender", "man", 1, 1)),
)
READERS: dict[str, tuple[Callable[[Path], object], bytes]] = {
    "labels": (lambda p: labels.load(p, suites.read_suite("traits"), ["-"]),
               b"image,occupation,gender,rater,arm,seed,outcome\n1,nurse,woman,a,,1,label\n"
               b"2,Nurse,man,b,fair,2,\n3,judge,,a,none,,no person\n"),
    "long": (lambda p: labels.load(p, suites.read_suite("traits")),
             b"image;subject;attribute;value\n1;nurse;gender;woman\n2;nurse;age;x\n"),
    "references": (lambda p: tables.shares_table(p, CLASSES),
                   b"subject,attribute,value,share,source\nnurse,gender,woman,0.9,x\n"
                   b"nurse,gender,man,0.1,x\n"),
    "prompts": (lambda p: tables.rows(p, ("id", "text"), ("repeats", "gender")),
                b'id,text,subject,repeats\n1,a nurse,nurse,4\n2,"the, nurse",nurse,\n'),
    "sheet": (lambda p: sheet.read(p, WAS, CLASSES),
              b"number,sample,attribute,value,rater\n1,aa,gender,woman,x\n2,bb,gender,man,x\n"),
    "answers": (lambda p: marks.table_of(p, [*marks.KEY, "share", "low", "high"]),
                b"subject,attribute,value,share,low,high\nnurse,gender,woman,0.5,0.4,0.6\n"),
}  # fmt: skip
BITS = (b",", b";", b"\t", b"\n", b"\r", b'"', b"'", b"=", b"\0", b"\xff", b"\xef\xbb\xbf", b" ",
        b"\xe2\x80\x8b", b"*", b"N/A", b"-", b"1e999", b"nan", b"\xff\xfe", b"sep=;\n", b",,\n",
        b"{", b"0,5", b"%", b"9" * 30, b"\\", b"\xcc\x81", b"\x1c", b"\xef\xbc\x91")  # fmt: skip


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("seed", range(3))
def test_damage_is_a_sentence(name: str, seed: int, tmp_path: Path) -> None:
    """Bytes put in, taken out and changed, and files cut anywhere."""
    read, data = READERS[name]
    rng = np.random.default_rng([seed, len(name)])
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    read(path)
    for _ in range(40):
        made = bytearray(data)
        for _ in range(int(rng.integers(1, 5))):
            at, how = int(rng.integers(len(made) + 1)), rng.random()
            if how < 0.5:
                made[at:at] = BITS[int(rng.integers(len(BITS)))]
            elif how < 0.7:
                del made[at : at + int(rng.integers(1, 6))]
            elif how < 0.85:
                made[at : at + 1] = bytes([int(rng.integers(256))])
            else:
                made = made[:at]
        path.write_bytes(made)
        with suppress(UserError):
            read(path)
