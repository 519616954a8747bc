"""Values of options as they are given, checked and written one way."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from audit.errors import UserError, unknown
from audit.evidence.copies.rule import CopyRule

AUTO, LOCAL = "auto", "local"
"""Of a classifier or a descriptor: chosen by the origin of the images (`runs.choosing`)."""
ATTENTION = "attention"
"""Of masks of people: by the run's own model."""
INSIDE = ("magnitude", "bright-ending")
"""Detectors that read the internals of the model."""
OURS = ("array", "output", "error", "open-mode", "job-name", "nodes", "ntasks")
"""Options of sbatch that are not the user's."""
FILES, TAR = "files", "tar"
"""How a run keeps its images: a file each, or a tar for each shard."""
DETECTORS = (*INSIDE, "whole-set")


def detectors(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repeats, `all` written out; UserError for an unknown name."""
    for name in names:
        if name not in (*DETECTORS, "all"):
            raise unknown("detector", name, [*DETECTORS, "all"])
    return tuple(n for n in DETECTORS if n in names or "all" in names)


def half_width(precision: float) -> float:
    """A half-width of intervals, 0.005 to 0.49, unchanged; UserError for any other number."""
    if not 0.005 <= precision < 0.5:
        raise UserError(
            f"--precision {precision:g} is not a valid half-width. Give 0.005 to 0.49; "
            "0.05 means plus or minus 5 points."
        )
    return precision


def pixels(text: str) -> str:
    """`512` and `512x768` as `WIDTHxHEIGHT`, empty unchanged; UserError for anything else."""
    if not text:
        return text
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if match is None or int(match[1]) == 0 or match[2] == "0":
        raise UserError(f"--size {text!r} is not a valid size. Give pixels as 512 or WIDTHxHEIGHT.")
    return f"{match[1]}x{match[2] or match[1]}"


def condition(text: str) -> str:
    """A kind of condition and where its pictures are, `KIND=DIR`, unchanged, and empty text.

    Raises UserError for anything else.
    """
    if text and re.fullmatch(r"[a-z][a-z0-9_-]{0,39}=.+", text, re.DOTALL) is None:
        raise UserError(
            f"--control {text!r} is not KIND=DIR. Give a word in lower case and a folder of "
            "pictures, such as silhouette=FOLDER, or silhouette=made."
        )
    return text


def columns(texts: Sequence[str]) -> tuple[str, ...]:
    """Columns as `meaning=name`, unchanged; UserError for anything else."""
    from audit.datasets.chosen import chosen

    chosen(texts)
    return tuple(texts)


def words(texts: Sequence[str]) -> tuple[str, ...]:
    """The words of lists with commas between them, each once; UserError for an empty one."""
    found = [w.strip() for t in texts for w in t.split(",")]
    if "" in found:
        raise UserError("--missing has an empty word. Give words as in --missing 'N/A,Other'.")
    return tuple(dict.fromkeys(found))


def validated(given: str | int) -> str | int:
    """A number of images from 0, as a number; a path unchanged. UserError for anything else."""
    text = str(given).strip()
    if re.fullmatch(r"\d{1,9}", text):
        return int(text)
    if not text or re.fullmatch(r"[-+]?[\d.]+", text):
        raise UserError(
            f"--validation {given!r} is neither a number of images, 0 or more, nor the folder or "
            "table of labelled images."
        )
    return text


def counted(given: str | int) -> str | int:
    """A number of processes from 0 to 1024, as a number; `auto` unchanged. UserError otherwise."""
    text = str(given).strip()
    if text == AUTO:
        return text
    if not re.fullmatch(r"\d{1,4}", text) or int(text) > 1024:
        raise UserError(f"--workers must be auto or a number up to 1024, not {given!r}.")
    return int(text)


def cluster(text: str) -> str:
    """`local`, `auto`, HOST:PORT and empty text, unchanged; UserError for anything else."""
    if text in ("", AUTO, LOCAL) or re.fullmatch(r"[\w.:\[\]-]+:\d{1,5}", text):
        return text
    raise UserError(f"--ray must be local, auto or HOST:PORT, not {text!r}.")


def sbatch(texts: Sequence[str]) -> tuple[str, ...]:
    """Options of sbatch as NAME=VALUE, or NAME alone, unchanged; UserError for anything else."""
    for text in texts:
        name, _, value = text.partition("=")
        if not re.fullmatch(r"[a-z][a-z-]*", name) or "\n" in text:
            raise UserError(
                f"--slurm-option must be NAME=VALUE or NAME, such as partition=gpu, not {text!r}."
            )
        if name in OURS:
            raise UserError(
                f"--slurm sets {name} of its jobs itself. Leave --slurm-option {text} out."
            )
        if name == "time":
            minutes(value)
    return tuple(texts)


def minutes(text: str) -> int:
    """A time limit in one of the forms of sbatch, in minutes, rounded up; UserError otherwise.

    They are minutes, M:SS, H:MM:SS, D-H, D-H:MM and D-H:MM:SS (sbatch(1), `--time`).
    """
    match = re.fullmatch(r"(?:(\d{1,4})-)?(\d{1,6})(?::(\d{1,2}))?(?::(\d{1,2}))?", text)
    if match is None:
        raise UserError(
            f"--slurm-option time must be minutes, H:MM:SS or D-HH:MM:SS, not {text!r}."
        )
    days, *rest = match.groups()
    parts = [int(p) for p in rest if p is not None]
    if days is not None or len(parts) == 3:
        hours, over, seconds = (*parts, 0, 0)[:3]
    else:
        hours, over, seconds = 0, *(*parts, 0)[:2]
    return (int(days or 0) * 24 + hours) * 60 + over + math.ceil(seconds / 60)


def one_way(jobs: int, options: Sequence[str], others: Mapping[str, str]) -> None:
    """Raise UserError where SLURM is asked together with others, or only its options are given."""
    if options and not jobs:
        raise UserError("--slurm-option is about the jobs of --slurm: give their number, too.")
    for name, value in others.items():
        if jobs and value:
            raise UserError(f"Both --slurm and {name} say who does the work: give one of them.")


def part(text: str) -> str:
    """`I/N` with I from 1 to N, unchanged, and empty text; UserError for anything else."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if text and (match is None or not 1 <= int(match[1]) <= int(match[2])):
        raise UserError(f"--shard must be I/N, with I from 1 to N, such as 2/8, not {text!r}.")
    return text


def precision(value: float) -> float:
    """A half-width of intervals, or 0 for none; UserError as in `half_width`."""
    return half_width(value) if value else 0.0


def copies(text: str) -> str:
    """A rule for copies, unchanged; UserError where there is no such rule."""
    CopyRule.parse(text)
    return text
