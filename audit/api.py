"""The Python API, one function per verb: `import audit` provides these names and loads them on use.

Paths may be text. Missing or invalid input raises `audit.UserError`, whose text says what to do
about it. The command line's `--some-option` is `some_option` here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from audit.design.suites.conditions import parse
from audit.errors import Incomplete, Notice, UserError
from audit.files import write_atomic
from audit.findings.gates import PASS, Check, junit, overall, rows
from audit.findings.gates import check as judge
from audit.records import Finding, Suite
from audit.runs import comparing
from audit.runs.context import Progress, silent
from audit.runs.opt import AtLeast, Declared, Opt, Within, checked, named
from audit.runs.options import HOW, Options
from audit.runs.planning import asked
from audit.runs.preview import Rewritten, rewrite
from audit.store import RunFolder, asdict_sample

__all__ = ["Checked", "Incomplete", "Result", "Rewritten", "UserError", "check", "compare", "index",
           "open", "rewrite", "run", "search"]  # fmt: skip

SEEDS = Declared("seeds", int, False, None, Opt("Images per prompt.", allow=AtLeast(1)))
"""The number of images per prompt changes the suite, and is checked like an option."""


@dataclass(frozen=True)
class Result:
    """A finished run, or a comparison of two, read from its folder; tables are read on demand.

    `print(result.report)` prints the path of the report.
    """

    folder: Path
    """Folder of all its files."""
    notes: tuple[str, ...] = field(default=(), repr=False)
    """What a comparison could not pair, and why; empty for a run."""

    @property
    def report(self) -> Path:
        """The report, one HTML file."""
        return self.folder / "report.html"

    def _repr_html_(self) -> str:
        """A link to the report and the first findings, as notebooks show it."""
        path = self.report.resolve()
        found = self.findings
        shown = found[["name", "estimate", "low", "high", "n", "verdict"]].head(10)
        with pd.option_context("display.max_colwidth", None):
            table = shown.to_html(index=False, escape=True)
        return (
            f'<p><a href="{escape(path.as_uri())}">{escape(str(self.report))}</a>, {len(found)} '
            f"findings</p>{table}"
        )

    @property
    def findings(self) -> pd.DataFrame:
        """Every number of the report, one row each; columns are the fields of `records.Finding`.

        `name` is the dotted name that gates take. Unknown numbers are NaN.
        """
        found = RunFolder(self.folder).findings()
        columns = ["name", *(f.name for f in fields(Finding) if f.name != "name")]
        return pd.DataFrame([asdict(f) for f in found], columns=columns)

    @property
    def samples(self) -> pd.DataFrame:
        """One row per image: id, prompt, arm, seed, final text, and what the arm drew.

        Images made elsewhere also have a `file`: their name in the folder, archive or table.
        """
        folder = RunFolder(self.folder)
        files = folder.files()
        rows = [asdict_sample(s) for s in folder.plan()]
        return pd.DataFrame([{**r, "file": files.get(str(r["id"]))} if files else r for r in rows])

    @property
    def attributes(self) -> pd.DataFrame:
        """One row per image and attribute: outcome, value, confidence (`ATTRIBUTE_COLUMNS`)."""
        return RunFolder(self.folder).read_table("attributes")

    @property
    def matches(self) -> pd.DataFrame:
        """One row per image: its nearest training image, and whether it is flagged as a copy.

        `copy` is a nullable boolean, missing where nothing was decided. Empty where no training set
        was searched (`MATCH_COLUMNS`).
        """
        return RunFolder(self.folder).read_table("matches")


@dataclass(frozen=True)
class Checked:
    """Verdicts of gates on a run."""

    verdict: str
    """`pass`, `fail` or `undecided`, as `t2i-audit check` prints it."""
    checks: tuple[Check, ...] = field(repr=False)
    """The objects behind `table`, one per gate and finding."""

    @property
    def passed(self) -> bool:
        """Whether every gate passes; an undecided one does not."""
        return self.verdict == PASS

    @property
    def table(self) -> pd.DataFrame:
        """One row per gate and finding: verdict, interval, and how many images would decide it."""
        return pd.DataFrame(rows(self.checks))

    def junit(self, path: str | Path, name: str = "audit") -> Path:
        """Write the verdicts as JUnit XML, for build servers."""
        write_atomic(Path(path), junit(self.checks, name))
        return Path(path)


def run(
    suite: str | Path | Suite,
    model: str | Path = "embedded",
    *,
    mitigations: Sequence[str] = (),
    seeds: int | None = None,
    quick: bool = False,
    progress: Progress = silent,
    **options: Any,
) -> Result:
    """Run a suite on a model, on images or on labels, or continue it where it stopped.

    `suite` is a shipped name or a TOML file; `mitigations` (as `-t` takes them), `seeds` and
    `quick` (the suite's own smaller numbers) change it. Any field of
    `audit.runs.options.Options` is a keyword, under its own name or the command line's, such as
    `steps`, `classifier`, `corpus`, `held_out`, `images`, `labels`, `lora` and `out`, the folder in
    which run folders are created.
    `progress(step, done, total)` is called while the run makes progress.

    Raises UserError for missing or invalid input, Incomplete if images are missing.

    >>> import audit
    >>> from pathlib import Path
    >>> rows = ["occupation,gender"] + ["nurse,woman"] * 18 + ["nurse,man"] * 2
    >>> _ = Path("labels.csv").write_text("\\n".join(rows))
    >>> found = audit.run("occupations", labels="labels.csv")
    >>> share = found.findings.set_index("name").loc["representation.nurse.gender.share.woman"]
    >>> float(share.estimate), int(share.n), share.verdict
    (0.9, 20, 'undecided')
    >>> found.report.name
    'report.html'
    """
    from audit.runs import line, planning

    mitigations = options.pop("mitigation", mitigations)
    arms = list(checked("mitigations", str, mitigations, several=True) or ())
    checked("quick", bool, quick)
    seeds = SEEDS.value(seeds)
    planned = Options(model=str(model), **named(Options, options))
    if planned.shard:
        raise UserError(
            "Parts of a run are commands, `t2i-audit run --shard I/N`. In Python give `workers` or "
            "`ray`."
        )
    text = suite if isinstance(suite, Suite) else str(suite)
    chosen = asked(text, arms, seeds, quick, planned.trust_code)
    changes = {"mitigations": arms, "seeds": seeds, "quick": quick, **options}
    said = {"model": str(model), **{k: v for k, v in changes.items() if v and k not in HOW}}
    call = ", ".join([repr(chosen.name if isinstance(suite, Suite) else text),
                      *(f"{k}={_said(v)}" for k, v in said.items())])  # fmt: skip
    planned = replace(planned, command=f"audit.run({call})")
    report = line.execute(planning.open_run(chosen, planned, progress))
    return Result(report.parent)


def _said(value: object) -> str:
    return repr(str(value) if isinstance(value, Path) else value)


def open(folder: str | Path) -> Result:
    """A finished run, or a comparison, from its folder or its report.

    Raises UserError if it does not exist.

    >>> import audit
    >>> from pathlib import Path
    >>> _ = Path("labels.csv").write_text("occupation,gender\\nnurse,woman\\nnurse,man\\n")
    >>> made = audit.run("occupations", labels="labels.csv")
    >>> again = audit.open(made.folder)
    >>> list(again.attributes.value), len(again.matches)
    (['woman', 'man'], 0)
    """
    path = checked("folder", Path, folder)
    path = path.parent if path.suffix == ".html" else path
    RunFolder(path).findings()
    return Result(path)


def _folder(result: Result | str | Path) -> Path:
    return result.folder if isinstance(result, Result) else open(result).folder


def compare(
    a: Result | str | Path, b: Result | str | Path, *more: Result | str | Path,
    out: str | Path = "reports", margin: float = 0.1, anyway: bool = False, lang: str = "en",
) -> Result:  # fmt: skip
    """Changes from one finished run to another, or to several, on common prompts: B minus A.

    Pairs share text, arm and seed. Changes of shares nearer to 0 than `margin` count as no change.
    The report, in the language `lang`, and its findings are written to a folder in `out`. Raises
    UserError if nothing is common, or if different classifiers read the images, unless `anyway`.

    >>> import audit
    >>> from pathlib import Path
    >>> def labels(women):
    ...     rows = ["image,occupation,gender"]
    ...     rows += [f"{i},nurse,{'woman' if i < women else 'man'}" for i in range(40)]
    ...     path = Path(f"{women}.csv")
    ...     _ = path.write_text("\\n".join(rows))
    ...     return audit.run("occupations", labels=path)
    >>> both = audit.compare(labels(36), labels(18), anyway=True)
    >>> both.findings[["where", "estimate", "verdict"]].values[0].tolist()
    ['nurse', -0.45, 'below']
    """
    checked("margin", float, margin, Within(0, 1))
    checked("anyway", bool, anyway)
    lang = Options(lang=lang).lang
    made = comparing.several([_folder(r) for r in (a, b, *more)], anyway, margin)
    report = comparing.write_several(made, Path(out), margin, lang)
    return Result(report.parent, tuple(note for m in made for note in m.notes))


def check(result: Result | str | Path, gates: Sequence[str] | str = ()) -> Checked:
    """Check a finished run against gates, those of its suite first: by interval, not by estimate.

    A gate is `SELECTOR OPERATOR NUMBER`, see docs/checking.md. Raises UserError for a gate that
    names no finding, and if there is no gate.

    >>> import audit
    >>> from pathlib import Path
    >>> rows = ["occupation,gender"] + ["nurse,woman"] * 18 + ["nurse,man"] * 2
    >>> _ = Path("labels.csv").write_text("\\n".join(rows))
    >>> found = audit.run("occupations", labels="labels.csv")
    >>> audit.check(found, "representation.nurse.gender.share.woman >= 60 %").verdict
    'pass'
    >>> done = audit.check(found, "representation.nurse.gender.share.woman <= 90 %")
    >>> done.verdict, done.passed
    ('undecided', False)
    """
    folder = RunFolder(_folder(result))
    more = checked("gates", str, gates, several=True) or ()
    texts = dict.fromkeys([*folder.checks(), *more])
    made = judge([parse(t) for t in texts], folder.findings())
    return Checked(overall(made), tuple(made))


def index(
    source: str | Path, out: str | Path, *, held_out: str | Path | None = None,
    descriptor: str = "auto", coverage: float | None = None, half: bool = False,
    duplicates: bool = False, device: str = "auto", columns: Sequence[str] | str = (),
    split: str = "", held_out_split: str = "", progress: Progress = silent,
) -> Path:  # fmt: skip
    """Make a training set searchable, or add new images to it; returns the folder of the index.

    `source` is a folder, tars, tables, a saved dataset, embeddings, or `world`; `held_out` is the
    same kind of images that the model was not trained on, and `descriptor` compares images: by
    default `embedded-copy` for `world`, else `phash`, which finds near-exact copies alone.
    `columns` (`image=NAME,caption=NAME`) and the splits are those of tables. Unreadable images and
    files that were left out are listed in `unreadable.csv`, and with `duplicates` those that the
    set contains more than once in `duplicates.csv`. Raises UserError if there is nothing to read.

    >>> import audit, numpy as np
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> rng = np.random.default_rng(0)
    >>> def draw(folder, n):
    ...     Path(folder).mkdir(exist_ok=True)
    ...     for i in range(n):
    ...         blocks = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    ...         Image.fromarray(blocks).resize((64, 64)).save(f"{folder}/{i:02}.png")
    >>> draw("training", 30)
    >>> draw("others", 50)
    >>> audit.index("training", "idx", held_out="others", descriptor="phash").name
    'idx'
    >>> found = audit.search(["training/07.png", "others/03.png"], "idx", nearest=1)
    >>> found[["query", "image", "verdict", "single"]].values.tolist()[0]
    ['training/07.png', '07.png', 'this training image', 'identical pixels']
    """
    from audit.runs import indexing

    for name, given in (("half", half), ("duplicates", duplicates)):
        checked(name, bool, given)
    coverage = checked("coverage", float, coverage, Within(0, 1))
    descriptor = checked("descriptor", str, descriptor)
    other = checked("held_out", str, held_out)
    names = tuple(checked("columns", str, columns, several=True) or ())
    splits = [checked(n, str, v) for n, v in (("split", split), ("held_out_split", held_out_split))]
    plan = indexing.Plan(other, descriptor, coverage, half, device, names, *splits)
    made = indexing.make(checked("source", str, source), Path(out), plan, progress)
    for note in made.notes:
        warnings.warn(note, Notice, stacklevel=2)
    if duplicates:
        indexing.duplicates(made)
    return made.index.folder


def search(
    pictures: str | Path | Sequence[str | Path], index: str | Path, *, nearest: int = 3,
    search: str = "auto", device: str = "auto", page: str | Path | None = None,
    descriptor: str = "", trust_code: bool = False, lang: str = "en",
) -> pd.DataFrame:  # fmt: skip
    """The nearest training images of each image, and whether chance comes as near.

    `pictures` are files or folders. Columns are `audit.runs.searching.COLUMNS`; `verdict`, `p`,
    `q`, and `single`, which says why an image alone is that training image, are in the row of the
    nearest image. Verdicts are `this training image`, `copy` (at a false discovery rate of 5 %
    over all images), `no copy found`, `cannot be flagged` and `not calibrated`. An unreadable image
    has one row, with the reason as its verdict. With `page` the pairs are written side by side as
    HTML, in the language `lang`. An index whose descriptor is a file needs it here as `descriptor`,
    and one that names code needs `trust_code`. Raises UserError if there is no image or no index;
    `audit.index` has an example.
    """
    from audit.runs import searching

    several = checked("pictures", Path, pictures, several=True)
    checked("nearest", int, nearest, AtLeast(1))
    lang = Options(lang=lang).lang
    place = checked("index", Path, index)
    opened, encoder = searching.opened(place, search, device, descriptor, trust_code)
    question = searching.ask(list(several))
    by = searching.compared(opened, encoder)
    table = searching.search(opened, encoder, question, nearest, by)
    if page is not None:
        searching.write_page(Path(page), opened, question, table, by, lang)
    lost = [{"query": q, "verdict": f"unreadable: {why}"} for q, why in question.unreadable.items()]
    if not lost:
        return table
    return pd.DataFrame([*table.to_dict("records"), *lost], columns=list(searching.COLUMNS))
