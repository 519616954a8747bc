"""Mutations of files by their form: bytes, and JSON, TOML, CSV, tar, Parquet, NumPy, PNG, weights.

Each takes the bytes of a file and a `random.Random`, which alone decides what is done, and returns
other bytes. `mutate` chooses one that knows the form of the file, or one of bytes.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import random
import struct
import tarfile
import zlib
from collections.abc import Callable
from typing import Any

Mutator = Callable[[bytes, random.Random], bytes]

DEEP = 100_000
"""Levels of nesting."""
VALUES = ("null", "true", "-1", "0", "7", "1e999", "NaN", "-Infinity", "9" * 5000, "0.5", '""',
          '"x"', '"\\ud800"', '"\\u0000"', '"../x"', '"/etc/hostname"', "[]", "{}", "[[]]", "[1]",
          '{"x": 1}', '[{"x": null}]', "[null]", '{"": []}', "1e400", "9223372036854775808",
          "[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, '"' + "x" * 300_000 + '"',
          "2", "-2147483649", '"nan"', '"1e9"', "1e18")  # fmt: skip
"""JSON texts that may be in place of any value."""
CELLS = ("", " ", "\0", '"', "'", "=1+1", "NaN", "nan", "-1", "1e999", "0,5", "50 %", "9" * 5000,
         "\ufeff", "\u202e", "x" * 300_000, "a\nb", "a,b", "a;b", "\t", "N/A", "../x", "\ud7ff",
         "\u0130", "none", "unknown", "*", "1_000", "\uff11", "true", "[]", "{x}")  # fmt: skip
"""Cells of tables, and words of TOML."""
TOKENS = ("[", "]", "[[", "]]", "{", "}", "=", '"', "'", '"""', ",", "\n", "#", ".", "inf", "nan",
          "-1", "0", "1e400", "9" * 5000, "true", "1979-05-27", "[" * 5000, "{a=" * 2000,
          "a." * 5000,
          "{subject.__class__}", "{a_subject:>200000}", "{}", "{", "../x", "\0", "\r")  # fmt: skip
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1", "cp1252")


def _at(data: bytes, chance: random.Random) -> int:
    return chance.randrange(len(data) + 1)


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = _at(data, chance)
    return start, min(len(data), start + 2 ** chance.randrange(12))


def _flip(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data or b"\0")
    out[chance.randrange(len(out))] ^= 1 << chance.randrange(8)
    return bytes(out)


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: _at(data, chance)]


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = _at(data, chance)
    return data[:at] + chance.randbytes(1 + chance.randrange(16)) + data[at:]


def _delete(data: bytes, chance: random.Random) -> bytes:
    a, b = _span(data, chance)
    return data[:a] + data[b:]


def _double(data: bytes, chance: random.Random) -> bytes:
    a, b = _span(data, chance)
    return data[:b] + data[a:b] + data[b:]


def _zero(data: bytes, chance: random.Random) -> bytes:
    a, b = _span(data, chance)
    return data[:a] + bytes(b - a) + data[b:]


def _extreme(data: bytes, chance: random.Random) -> bytes:
    """Lengths and counts are often four bytes."""
    at = _at(data, chance)
    value = chance.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4)))
    return data[:at] + value + data[at + 4 :]


BYTES: tuple[Mutator, ...] = (_flip, _truncate, _insert, _delete, _double, _zero, _extreme)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys, at any depth."""
    found: list[tuple[Any, Any]] = []
    inner = value.items() if isinstance(value, dict) else enumerate(value[:20])
    for key, one in list(inner):
        found.append((value, key))
        if isinstance(one, dict | list):
            found += _places(one)
    return found


def json_value(data: bytes, chance: random.Random) -> bytes:
    """One place of a document has another value, is gone, is doubled or is new."""
    whole = json.loads(data)
    if not isinstance(whole, dict | list) or chance.random() < 0.04:
        return chance.choice(VALUES).encode("utf-8", "surrogatepass")
    places, mark = _places(whole), "\u2022mark\u2022"
    if not places:
        return chance.choice(VALUES).encode("utf-8", "surrogatepass")
    inside, key = chance.choice(places)
    how = chance.randrange(6)
    if how == 0:
        del inside[key]
    elif how == 1 and isinstance(inside, dict):
        inside[chance.choice(("new", "", "x" * 1000, f"{key} "))] = mark
    elif how == 2 and isinstance(inside, list):
        inside += [inside[key]] * chance.choice((1, 1, 1000))
    elif how == 3 and isinstance(inside, dict):
        other, _ = chance.choice(list(inside.items()))
        inside[key] = inside[other]
    else:
        inside[key] = mark
    return json.dumps(whole).replace(json.dumps(mark), chance.choice(VALUES)).encode()


def json_line(data: bytes, chance: random.Random) -> bytes:
    """The same in one line of several; or a line that is doubled, gone or torn."""
    lines = data.decode().splitlines()
    at, how = chance.randrange(len(lines)), chance.random()
    if how < 0.7:
        lines[at] = json_value(lines[at].encode(), chance).decode()
    elif how < 0.8:
        lines.insert(at, lines[at])
    elif how < 0.9:
        del lines[at]
    else:
        lines[at] = lines[at][: chance.randrange(len(lines[at]))]
    return ("\n".join(lines) + "\n").encode()


def toml_token(data: bytes, chance: random.Random) -> bytes:
    """A line or a word is dropped, doubled, moved or replaced, or another value is given."""
    lines = data.decode().splitlines()
    at, how = chance.randrange(len(lines)), chance.randrange(7)
    if how == 0:
        del lines[at]
    elif how == 1:
        lines.insert(chance.randrange(len(lines)), lines[at])
    elif how == 2:
        lines[at] = lines[at].replace(chance.choice(lines[at].split() or [" "]), "", 1)
    elif how == 3 and "=" in lines[at]:
        key = lines[at].split("=")[0]
        value = chance.choice((*VALUES[:-4], *(json.dumps(c) for c in CELLS), *TOKENS))
        lines[at] = f"{key}= {value}"
    elif how == 4:
        words = lines[at].split(" ")
        words[chance.randrange(len(words))] = chance.choice(TOKENS)
        lines[at] = " ".join(words)
    elif how == 5:
        return data.decode().encode(chance.choice(ENCODINGS), "replace")
    else:
        cut = chance.randrange(len(lines[at]) + 1)
        lines[at] = lines[at][:cut] + chance.choice((*TOKENS, *CELLS)) + lines[at][cut:]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def csv_cell(data: bytes, chance: random.Random) -> bytes:
    """A cell, row or column is dropped, doubled, replaced or added; other separators, encodings."""
    text = data.decode()
    rows = [list(r) for r in csv.reader(io.StringIO(text))]
    row = chance.choice(rows)
    at, how = chance.randrange(len(row)), chance.randrange(11)
    if how == 0:
        del row[at]
    elif how == 1:
        row.insert(at, row[at])
    elif how in (2, 3, 4):
        row[at] = chance.choice(CELLS)
    elif how == 5:
        rows.insert(chance.randrange(len(rows)), chance.choice(([], [""] * len(row), list(row))))
    elif how == 6:
        rows = [[c for i, c in enumerate(r) if i != at] for r in rows]
    elif how == 7:
        rows = [[*r, r[at] if at < len(r) else ""] for r in rows]
    elif how == 8:
        return text.replace(",", chance.choice((";", "\t", "|", ",,", " , "))).encode()
    elif how == 9:
        start = chance.choice(("", "sep=,\n", "sep=;\n", "\ufeff\ufeff", "\n\n", '"'))
        end = chance.choice(("", "\n\n\n", '"', "\0", ",,,,", "\x1a", "\r"))
        return (start + text + end).encode(chance.choice((*ENCODINGS, "utf-8")), "replace")
    else:
        rows *= chance.choice((2, 300))
    out = io.StringIO()
    ends = {"lineterminator": chance.choice(("\n", "\r\n", "\r"))}
    csv.writer(out, **ends).writerows(rows)  # type: ignore[arg-type]
    return out.getvalue().encode("utf-8", "surrogatepass")


def plain_text(data: bytes, chance: random.Random) -> bytes:
    """Another encoding, or something put into a text."""
    if chance.random() < 0.4:
        return data.decode().encode(chance.choice(ENCODINGS), "replace")
    at = _at(data, chance)
    return data[:at] + chance.choice(CELLS).encode("utf-8", "surrogatepass") + data[at:]


NAMES = ("../x.png", "/etc/x.png", "", ".", "a/../0.png", "x" * 5000 + ".png", "0\udcff.png",
         "\u202e.png", "0.PNG", ".png", "0.json", "0.txt", "a\nb.png", "0.tar",
         "0.a.b.png")  # fmt: skip


LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE,
         tarfile.GNUTYPE_SPARSE)  # fmt: skip


def tar_member(data: bytes, chance: random.Random) -> bytes:
    """Members are doubled, linked, renamed, mutated or gone; the whole is compressed or cut."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [(m, archive.extractfile(m)) for m in archive.getmembers()]
        content = [(m, f.read() if f else b"") for m, f in members]
    at, how = chance.randrange(len(content)), chance.randrange(9)
    one, body = content[at]
    if how == 0:
        content.insert(chance.randrange(len(content)), (one, body))
    elif how in (1, 2):
        one.type = chance.choice(LINKS)
        one.linkname = chance.choice((one.name, content[0][0].name, *NAMES))
        content[at] = (one, b"")
    elif how == 3:
        one.name = chance.choice((content[0][0].name, *NAMES))
    elif how == 4:
        del content[at]
    elif how in (5, 6):
        content[at] = (one, mutate(body, "." + one.name.rpartition(".")[2], chance))
    elif how == 7:
        chance.shuffle(content)
    made = io.BytesIO()
    form = chance.choice(("w", "w", "w", "w:gz", "w:bz2", "w:xz"))
    shape = chance.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
    with tarfile.open(fileobj=made, mode=form, format=shape) as archive:  # type: ignore[call-overload]
        for member, inside in content:
            member.size = len(inside)
            archive.addfile(member, io.BytesIO(inside))
    out = made.getvalue()
    if form != "w" or how == 8:
        return chance.choice((lambda d, _: d, *BYTES))(out, chance)
    return out


def parquet_column(data: bytes, chance: random.Random) -> bytes:
    """A column is dropped, doubled, renamed, emptied or has values of another type."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    table = parquet.read_table(pa.BufferReader(data))
    at, how = chance.randrange(table.num_columns), chance.randrange(7)
    name, n = table.column_names[at], table.num_rows
    if how == 0 and table.num_columns > 1:
        table = table.remove_column(at)
    elif how == 1:
        table = table.append_column(chance.choice((name, name.upper(), "text", "seed")), table[at])
    elif how == 2:
        new = chance.choice(("", "image", "text", "seed", "x" * 5000, "\u202e", name.upper()))
        table = table.rename_columns(
            [new if i == at else c for i, c in enumerate(table.column_names)]
        )
    elif how == 3:
        table = table.slice(0, chance.choice((0, 1)))
    else:
        kinds = (
            pa.nulls(n), pa.array([chance.choice((0, -1, 2**62))] * n),
            pa.array([float("nan")] * n), pa.array([True] * n), pa.array([["x", None]] * n),
            pa.array([{"x": 1}] * n), pa.array([b"\xff\xfe"] * n),
            pa.array((["../x", None] * n)[:n]),
            pa.array([{"bytes": None, "path": "/etc/hostname"}] * n),
            pa.array(["x" * 300_000] * n), pa.array([10**15] * n, pa.timestamp("us")),
            pa.array((["1.5", "NaN", ""] * n)[:n]), pa.array(["a"] * n).dictionary_encode(),
            pa.array([b"x"] * n, pa.large_binary()),
        )  # fmt: skip
        table = table.set_column(at, name, chance.choice(kinds))
    sink = pa.BufferOutputStream()
    packed = chance.choice(("snappy", "gzip", "zstd", "none"))
    parquet.write_table(table, sink, compression=packed)
    return bytes(sink.getvalue().to_pybytes())


def npy_head(data: bytes, chance: random.Random) -> bytes:
    """Another shape, order or type in the head of an array, or another array."""
    import numpy as np

    size = int.from_bytes(data[8:10], "little")
    head = ast.literal_eval(data[10 : 10 + size].decode().strip())
    if chance.random() < 0.3:
        out = io.BytesIO()
        some = (np.array(3.0), np.zeros((0, 4)), np.zeros((8, 0)), np.ones((8, 4), complex),
                np.array([["a"] * 4] * 8), np.full((8, 4), np.nan), np.ones((8, 4, 2)), np.ones(8),
                np.array([{"a": 1}] * 8, object), np.ones((8, 4), ">f4"), np.zeros((8, 4)),
                np.ones((9, 4)), np.ones((8, 4), bool), np.full((8, 4), np.inf))  # fmt: skip
        np.save(out, chance.choice(some), allow_pickle=True)
        return out.getvalue()
    key = chance.choice(("shape", "descr", "fortran_order", "extra"))
    head[key] = chance.choice({
        "shape": ((-1, 4), (2**40, 4), (0, 4), (4,), (), (2, 2, 8), ("a",), (8, -4), (2**62,) * 2),
        "descr": ("<f2", "<f8", "|O", ">f4", "<U4", "|V0", "<M8[s]", "", "[('a','<f4')]", 3),
        "fortran_order": (True, 2, None), "extra": (1,),
    }[key])  # fmt: skip
    new = repr(head).encode().ljust(size)[: size * 2]
    return data[:8] + len(new).to_bytes(2, "little") + new + data[10 + size :]


def png_chunk(data: bytes, chance: random.Random) -> bytes:
    """A chunk's content is changed, with the checksum that fits; or chunks are doubled or moved."""
    chunks, at = [], 8
    while at + 8 <= len(data):
        (n,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + n]))
        at += n + 12
    i = chance.randrange(len(chunks))
    kind, body = chunks[i]
    how = chance.randrange(5)
    if how == 0:
        chunks.insert(chance.randrange(len(chunks)), chunks[i])
    elif how == 1:
        chance.shuffle(chunks)
    elif kind in (b"IDAT", b"zTXt", b"iCCP") and how == 2:
        start = 0 if kind == b"IDAT" else body.index(b"\0") + 2
        raw = chance.choice(BYTES)(zlib.decompress(body[start:]), chance)
        chunks[i] = (kind, body[:start] + zlib.compress(raw))
    else:
        chunks[i] = (kind, chance.choice(BYTES)(body, chance))
    return data[:8] + b"".join(
        struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks
    )


def _tensors(data: bytes, chance: random.Random) -> bytes:
    """A tensor is dropped, renamed, doubled, or has another shape, type or values."""
    import torch
    from safetensors.torch import load, save

    held = load(data)
    name, how = chance.choice(sorted(held)), chance.randrange(8)
    one = held[name]
    if how == 0:
        del held[name]
    elif how == 1:
        held[chance.choice((f"{name}.x", "", "alpha", name.replace("unet", "text_encoder")))] = one
    elif how == 2:
        held[chance.choice(sorted(held))] = one.clone()
    elif how == 3:
        held[name] = one.to(chance.choice((torch.int64, torch.float16, torch.bool, torch.float64)))
    elif how == 4:
        held[name] = chance.choice((one.flatten(), one[None], one.sum(), one[:0], one.T))
    else:
        held[name] = one * chance.choice((float("nan"), float("inf"), 0.0, 1e30))
    return bytes(save({k: v.contiguous().clone() for k, v in held.items()}))


def weights_head(data: bytes, chance: random.Random) -> bytes:
    """A tensor of safetensors, or JSON at their head, with its length or another one."""
    if chance.random() < 0.6:
        return _tensors(data, chance)
    (n,) = struct.unpack("<Q", data[:8])
    head = json_value(data[8 : 8 + n], chance)
    size = len(head) if chance.random() < 0.8 else chance.choice((0, n, 2**40, 2**63))
    return struct.pack("<Q", size) + head + data[8 + n :]


FORMS: dict[str, Mutator] = {
    ".json": json_value, ".jsonl": json_line, ".toml": toml_token, ".csv": csv_cell,
    ".txt": plain_text, ".caption": plain_text, ".tar": tar_member, ".parquet": parquet_column,
    ".npy": npy_head, ".png": png_chunk, ".safetensors": weights_head,
}  # fmt: skip
"""The mutation that knows a form, by the ending of files."""


def mutate(data: bytes, ending: str, chance: random.Random) -> bytes:
    """One to three mutations: of the file's form as long as it has one, or of its bytes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        known = FORMS.get(ending) if chance.random() < 0.75 else None
        try:
            data = (known or chance.choice(BYTES))(data, chance)
        except Exception:  # it no longer has the form
            data = chance.choice(BYTES)(data, chance)
    return data
