"""The run folder: the only module that knows file names.

A file is whole or absent (temporary file next to it, flush, rename). Presence is progress: there
is no status, and the work left is what is planned but absent. The name of a file identifies what
produced it, so a stale result cannot be read.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from audit import files
from audit.datasets import alike
from audit.datasets.alike import Planned
from audit.datasets.packs import WHY, Images
from audit.errors import Damaged, UserError
from audit.files import Head, checked, inside, loads, locked, only, rows_of, sweep, write_atomic
from audit.keys import OUTCOMES, TYPED, digest, fits
from audit.records import Change, Finding, JsonRow, Sample, Settings, Suite, from_json

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from audit.datasets.listing import LeftOut

_T = TypeVar("_T")
AS_GIVEN = {"seeds": "as given"}
"""Part of the results of a run whose missing seeds are missing. Earlier versions numbered images
from elsewhere that had no seed, and nothing tells these numbers from seeds."""


def asdict_sample(sample: Sample) -> dict[str, object]:
    """A sample as plain JSON-able data, its change as `how`; reason and last where there are."""
    row = {k: getattr(sample, k) for k in ("id", "prompt", "arm", "seed", "text")}
    row |= {"drawn": dict(sample.drawn), "how": sample.change.as_json()}
    return row | {k: v for k in ("reason", "last") if (v := getattr(sample, k))}


def sample_from(row: JsonRow) -> Sample:
    """What `asdict_sample` wrote; ValueError, KeyError or TypeError for anything else."""
    if not isinstance(row, dict):
        raise TypeError("a sample is not an object")
    rest = {k: v for k, v in row.items() if k != "how"}
    change = Change.from_json(row.get("how", {}))
    if not isinstance(change.guidance, int | float | None) or not isinstance(
        change.negative, str | None
    ):
        raise ValueError("`how` has another form")
    return checked(Sample, {**only(Sample, rest), "change": change})


def run_name(suite: Suite, settings: Settings) -> str:
    """Folder name of a run: the same prompts, model and sampler settings find the same folder.

    Seeds, attributes and mitigations are left out on purpose: more of them extend the run.
    """
    texts = sorted({p.text for p in suite.prompts})
    model = Path(settings.model).name.replace("/", "-") or "model"
    return f"{suite.name}-{model}-{digest([texts, settings.__dict__], 8)}"


class RunFolder:
    """One run on disk. Reading never creates anything; the first write does.

    `own` is a prefix: only chunks of vectors, readings and texts whose names have it are used.
    """

    def __init__(self, path: Path, own: str = "") -> None:
        self.path, self.own, self.images = path, own, Images(path / "images")
        self._notes = f"shards/{own}notes.json" if own else "notes.json"

    @contextmanager
    def lock(self, wait: bool = False) -> Iterator[None]:
        """Lock the folder for one writer; UserError where another process has it, unless `wait`."""
        with ExitStack() as held:
            try:
                held.enter_context(locked(self.path / ".lock", wait))
            except BlockingIOError:
                raise UserError(
                    f"Another process is working on {self.path}. Wait for it to end, or choose "
                    "another folder with --out."
                ) from None
            except OSError as error:
                raise UserError(
                    f"Cannot write to {self.path}: {error.strerror}. Choose another folder with "
                    "--out."
                ) from error
            sweep(self.path)
            yield

    def write_manifest(self, suite: Suite, settings: Settings, versions: Mapping[str, str]) -> None:
        """Keep the suite's name, settings and versions; no time stamps.

        UserError where a newer version wrote the run: it is left as it is.
        """
        body: dict[str, object] = {"suite": suite.name, "settings": settings.__dict__}
        body |= {"versions": dict(versions), "format": files.FORMAT}
        if (self.path / "run.json").exists():
            with suppress(Damaged):  # written again
                self.manifest()
        self._write("run.json", json.dumps(body, indent=1, sort_keys=True) + "\n")

    def write_plan(self, samples: Iterable[Sample]) -> None:
        """The plan as JSON lines, one sample each."""
        encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
        with files.atomic(self.path / "plan.jsonl") as file:
            for lines in alike.written(samples, lambda s: encode(asdict_sample(s))):
                file.write(lines)

    def manifest(self) -> dict[str, Any]:
        """The record of `write_manifest`.

        UserError where the folder contains no run, or one of a newer version.
        """
        found = self._read("run.json", lambda text: checked(files.Manifest, loads(text)))
        if found.format > files.FORMAT:
            raise UserError(
                f"{self.path} has format {found.format}: a newer version of t2i-audit made it, and "
                f"this one reads formats up to {files.FORMAT}. Update t2i-audit, or choose another "
                "folder with --out."
            )
        return dict(vars(found))

    def plan(self) -> Planned[Sample]:
        """The samples of `write_plan`, in its order, with the texts that were drawn.

        UserError where the folder contains no run.
        """
        read = self._opened("plan.jsonl", lambda path: alike.read(
            path.read_bytes(), lambda line: sample_from(loads(line))))  # fmt: skip
        planned = self.final(read)
        return Planned.of([replace(s, seed=None) for s in planned] if self._numbered else planned)

    @property
    def _numbered(self) -> bool:
        """Whether these are images from elsewhere, numbered by an earlier version (AS_GIVEN)."""
        if not (self.finished and (self.path / "run.json").exists()):
            return False
        made = self.manifest().get("settings", {}).get("steps") != 0
        return not made and not AS_GIVEN.items() <= self.results().items()

    def add_texts(self, texts: Mapping[str, str]) -> None:
        """Keep the texts that are drawn in place of the planned ones, by sample id."""
        body = json.dumps(texts, sort_keys=True).encode()
        write_atomic(self.path / "texts" / f"{self.own}{digest(sorted(texts))}.json", body)

    def texts(self) -> dict[str, str]:
        """Sample id to the text that `add_texts` kept; a damaged file counts as absent."""
        found: dict[str, str] = {}
        for path in sorted((self.path / "texts").glob(f"{self.own}*.json")):
            with suppress(OSError, ValueError):
                found.update(checked(dict[str, str], loads(path.read_bytes())))
        return found

    def final(self, samples: Sequence[Sample]) -> Sequence[Sample]:
        """Samples with the texts that were drawn; their ids are those of the plan."""
        if not (texts := self.texts()):
            return samples
        return [replace(s, text=texts[s.id]) if s.id in texts else s for s in samples]

    def add_notes(self, cut: Iterable[str] = (), said: Iterable[str] = ()) -> None:
        """Keep what is noted about drawing (`files.Notes`), in addition to what was."""
        was = self.notes()
        body = {"cut": sorted({*was.cut, *cut}), "said": [*dict.fromkeys([*was.said, *said])]}
        if body != vars(was):
            self._write(self._notes, json.dumps(body, indent=1, ensure_ascii=False) + "\n")

    def notes(self) -> files.Notes:
        """What `add_notes` kept; nothing where it is damaged."""
        try:
            return checked(files.Notes, loads((self.path / self._notes).read_bytes()))
        except (OSError, ValueError):
            return files.Notes()

    def image_path(self, sample: str) -> Path:
        """Path of a sample's image as a file, there or not; Untrusted for an id that leads out."""
        return self.images.path(sample)

    def present(self) -> set[str]:
        """Ids of the samples whose image, or the reason for its absence, is there."""
        return {id for id, _ in self.images.found()}

    def write_image(self, sample: str, image: np.ndarray) -> None:
        """Keep one generated image, uint8[h, w, 3]."""
        from audit.datasets import pixels

        self.images.write(sample, pixels.png(image))

    def write_blocked(self, sample: str, outcome: str) -> None:
        """Keep the reason why a sample has no image."""
        self.images.write(sample, outcome.encode(), WHY)

    def blocked(self) -> dict[str, str]:
        """Sample id to the outcome of samples that have no image."""
        why = sorted({id for id, ending in self.images.found() if ending == WHY})
        said = {id: self.images.reason(id) for id in why}
        known = {o.encode(): o for o in OUTCOMES}
        return {id: known.get(o, "unreadable") for id, o in said.items()}

    def read_image(self, sample: str) -> np.ndarray:
        """One image as uint8[h, w, 3]; pixels.Unreadable if it is missing or damaged."""
        from audit.datasets import pixels

        return pixels.decode(self.images.content(sample))

    def add_vectors(self, encoder: str, ids: list[str], vectors: np.ndarray) -> None:
        """Keep float32[n, d] of an encoder, a chunk at a time."""
        import numpy as np

        buffer = io.BytesIO()
        np.savez(buffer, ids=np.asarray(ids), vectors=vectors.astype(np.float32))
        name = f"{self.own}{digest(ids)}.npz"
        write_atomic(self.path / "vectors" / encoder / name, buffer.getvalue())

    def encoders(self) -> list[str]:
        """Keys of the encoders whose vectors are kept here, sorted."""
        folder = self.path / "vectors"
        return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []

    def vectors(self, encoder: str, mend: bool = True) -> dict[str, np.ndarray]:
        """Sample id to float32[d]; a damaged chunk counts as absent and is made again.

        Without `mend` it is left in place, for read-only use.
        """
        import numpy as np

        found: dict[str, np.ndarray] = {}
        for path in sorted((self.path / "vectors" / encoder).glob(f"{self.own}*.npz")):
            try:
                with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as chunk:
                    ids, rows = [str(i) for i in chunk["ids"]], chunk["vectors"]
                if rows.ndim != 2 or rows.dtype != np.float32 or not np.isfinite(rows).all():
                    raise ValueError("not vectors")
                found.update(zip(ids, rows, strict=True))
            except Exception:  # NumPy and zipfile raise many kinds for damaged files
                if mend:
                    path.unlink(missing_ok=True)
        return found

    def add_readings(self, reader: str, readings: Mapping[str, tuple[str, str | None]]) -> None:
        """Keep outcome and value of a reader by sample id, a chunk at a time."""
        body = json.dumps(readings, sort_keys=True).encode()
        name = f"{self.own}{digest(sorted(readings))}.json"
        write_atomic(self.path / "readings" / reader / name, body)

    def readings(self, reader: str) -> dict[str, tuple[str, str | None]]:
        """Sample id to outcome and value; a damaged chunk counts as absent and is made again."""
        found: dict[str, tuple[str, str | None]] = {}
        for path in sorted((self.path / "readings" / reader).glob(f"{self.own}*.json")):
            try:
                rows = loads(path.read_bytes())
                found.update(checked(dict[str, tuple[str, str | None]], rows))
            except (OSError, ValueError):
                path.unlink(missing_ok=True)
        return found

    def write_table(self, name: str, key: object, table: pd.DataFrame) -> Path:
        """Keep a table under a name that contains the hash of what produced it."""
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        path = self.path / "tables" / f"{name}-{digest(key, 8)}.parquet"
        write_atomic(path, buffer.getvalue())
        return path

    def write_results(self, results: Mapping[str, object]) -> None:
        """Keep the names of the latest tables, and the data for reading them without the suite."""
        self._write("results.json", json.dumps(results, indent=1, sort_keys=True) + "\n")

    @property
    def finished(self) -> bool:
        """Whether the run has results."""
        return (self.path / "results.json").exists()

    def results(self) -> dict[str, Any]:
        """The record of `write_results`; UserError where the run has no results yet."""
        if not self.finished:
            raise UserError(
                f"{self.path} contains no finished run. Give the folder that `t2i-audit run` made."
            )

        def known(text: str) -> dict[str, Any]:
            row = checked(dict[str, Any], loads(text))
            return {**row, **vars(checked(files.Results, row))}

        return self._read("results.json", known)

    def files(self) -> dict[str, str]:
        """Sample id to the name of its file, for images made elsewhere; empty for other runs."""
        return dict(self.results()["pictures"]) if self.finished else {}

    def checks(self) -> list[str]:
        """The suite's own gates, as the run kept them; empty where only findings were given."""
        return list(self.results()["checks"]) if self.finished else []

    def stamp(self) -> str:
        """Changes when the results do; empty where there are none."""
        stat = (self.path / "results.json").stat() if self.finished else None
        return f"{stat.st_mtime_ns}-{stat.st_ino}" if stat else ""

    def read_table(self, name: str) -> pd.DataFrame:
        """A table of the latest results; UserError where it is missing or damaged.

        The columns of `TYPED` have their type in tables of earlier versions too, and the
        numbers that these versions gave to images from elsewhere do not count as seeds.
        """
        import pandas as pd

        file = self.results()["tables"].get(name, "")
        if not file or Path(file).name != file:
            raise Damaged(f"{self.path} names no table of {name}. Run the same command again.")
        path = inside(self.path / "tables", file)
        try:
            table = pd.read_parquet(path)
            fits(table, name)
            if "seed" in table and self._numbered:
                table["seed"] = pd.NA
            return table.astype({c: t for c, t in TYPED.items() if c in table})
        except Exception as error:  # pyarrow raises many kinds for damaged files
            raise UserError(f"{path} cannot be read. Run the same command again.") from error

    def write_label_file(self, name: str, data: bytes) -> Path:
        """Keep a file of this run's labelling."""
        write_atomic(self.path / "labels" / name, data)
        return self.path / "labels" / name

    def label_file(self, name: str) -> Path:
        """Path of a file of the labelling, whether or not it exists."""
        return self.path / "labels" / name

    def write_findings(self, text: str) -> Path:
        """Write findings.json, the text of `to_json`: every number of the report."""
        return self._write("findings.json", text)

    def findings(self) -> list[Finding]:
        """Every number of the report; UserError where the run has no findings yet."""
        return self._read("findings.json", from_json)

    def head(self) -> Head:
        """What findings.json says before its findings."""
        return self._read("findings.json", lambda text: rows_of(text)[0])

    def write_left_out(self, table: bytes) -> None:
        """Write left_out.csv: images made elsewhere that are not in the report."""
        write_atomic(self.path / "left_out.csv", table)

    def left_out(self) -> list[LeftOut]:
        """The rows of left_out.csv; empty where nothing is listed."""
        from audit.datasets import listing

        there = (self.path / "left_out.csv").exists()
        return self._read("left_out.csv", listing.rows) if there else []

    def write_page_facts(self, text: str) -> Path:
        """Write page.json: what the report shows in addition to findings and tables."""
        return self._write("page.json", text)

    def page_facts(self) -> dict[str, Any]:
        """The record of `write_page_facts`; UserError where the run has no results yet."""
        self.results()
        if not (self.path / "page.json").exists():
            raise UserError(
                f"{self.path} was made by a version that did not keep what a report needs. Run the "
                "same command again to add it."
            )
        # Facts may be NaN or infinite.
        return self._read("page.json", lambda t: checked(dict[str, Any], loads(t, finite=False)))

    def write_report(self, html: str) -> Path:
        """Write report.html: the report."""
        return self._write("report.html", html)

    def _read(self, name: str, parse: Callable[[str], _T]) -> _T:
        return self._opened(name, lambda path: parse(path.read_text("utf-8")))

    def _opened(self, name: str, read: Callable[[Path], _T]) -> _T:
        path = self.path / name
        try:
            return read(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserError(
                f"There is no {path}. Give the folder that `t2i-audit run` made."
            ) from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Damaged(f"{path} is damaged: {error}. Run the same command again.") from error

    def _write(self, name: str, text: str) -> Path:
        write_atomic(self.path / name, text.encode("utf-8"))
        return self.path / name
