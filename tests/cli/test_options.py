"""Options are declared once: the command line, Python and the reference read the same fields."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from audit.cli.main import app
from audit.cli.options import with_options
from audit.errors import UserError
from audit.report.page import PICTURES
from audit.runs.opt import Between, Opt, declared
from audit.runs.options import Options

group = typer.main.get_command(app)


def parameters(verb: str) -> dict[str, object]:
    """Every option of a verb by its names, with the default."""
    command = group.commands[verb]  # type: ignore[attr-defined]
    return {o: p.default for p in command.params for o in p.opts}


def test_every_field_is_an_option_of_run() -> None:
    """Except those of labels, which belong to `score`, and the command, which is not typed."""
    names, mine = parameters("run"), declared(Options)
    assert {f.name for f in fields(Options)} - set(mine) == {"command", "tuned"}
    for option in mine.values():
        if option.field in ("labels", "missing"):
            assert option.names[0] not in names
        elif option.opt.flags:
            assert {f.name for f in option.opt.flags} <= set(names)
        else:
            assert set(option.names) <= set(names)
            assert names[option.names[0]] == (None if option.several else option.default)


@pytest.mark.parametrize("name", ["--q", "--seed", "--validation", "--training"])
def test_what_had_no_option_has_one(name: str) -> None:
    """Everything that changes the numbers can be given."""
    assert {name} <= set(parameters("run")) & set(parameters("mitigate"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--q", "0"), "--q must be above 0 and below 1, not 0.0."),
        (("--q", "1"), "--q must be above 0 and below 1, not 1.0."),
        (("--q", "nan"), "--q must be above 0 and below 1, not nan."),
        (("--seed", "-1"), "--seed must be 0 or more, not -1."),
        (
            ("--validation", "-1"),
            "--validation '-1' is neither a number of images, 0 or more, nor the "
            "folder or table of labelled images.",
        ),
        (("--training", "-5"), "--training must be 0 or more, not -5."),
        (("--steps", "0"), "--steps must be 1 or more, not 0."),
        (("--device", "gpu"), "--device must be auto, cpu, cuda, cuda:1 or mps, not 'gpu'."),
        (("--search", "fast"), "--search must be auto, flat, ivf-sq8 or ivf-rabitq, not 'fast'."),
        (("--size", "5x"), "--size '5x' is not a valid size. Give pixels as 512 or WIDTHxHEIGHT."),
    ],
)
def test_values_that_do_not_fit_are_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    """The verb ends before anything is loaded."""
    found = CliRunner().invoke(app, ["run", "world", *arguments])
    assert isinstance(found.exception, UserError)
    assert str(found.exception) == sentence


def test_no_images_goes_before_blur() -> None:
    """Flags of one field: the first that is given counts."""

    @with_options("pictures")
    def show(options: Options) -> str:
        return options.pictures

    assert show(no_images=True, blur=True) == "none"
    assert show(no_images=False, blur=True) == "blur"
    assert show(no_images=False, blur=False) == "all"
    assert all(Options(pictures=p).pictures == p for p in PICTURES)


@dataclass(frozen=True)
class Mine(Options):
    """Options with one more."""

    shade: Annotated[float, Opt("How dark the page is.", "--shade -s", Between(0, 1))] = 0.5


def test_one_line_adds_an_option() -> None:
    """It is in the help with its limits and default, and checked in both languages."""
    mine = typer.Typer(rich_markup_mode=None)

    @mine.command()
    @with_options("out", "shade")
    def show(options: Mine) -> None:
        typer.echo(f"{options.shade} {options.out}")

    said = CliRunner().invoke(mine, ["--help"]).stdout
    assert "-s, --shade" in said
    assert "How dark the page is. [above 0 and below 1]" in " ".join(said.split())
    assert CliRunner().invoke(mine, ["-s", "0.25"]).stdout == "0.25 reports\n"
    assert isinstance(CliRunner().invoke(mine, ["-s", "2"]).exception, UserError)
    with pytest.raises(UserError, match="--shade must be above 0 and below 1, not 2"):
        Mine(shade=2)
