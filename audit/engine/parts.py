"""The parts of a pipeline, read from disk so that nothing else is audited in their place.

A part that comes with code, as a pickle, incomplete, or for another architecture is refused with
the first names that are wrong; the libraries would draw what lacks at random.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from audit.errors import UserError
from audit.files import loads

PICKLED = (".ckpt", ".bin", ".pt", ".pth", ".pkl", ".msgpack")
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "tekken.json")
"""Files that hold a tokenizer's words, besides `*.model`."""
UNNEEDED = ("position_ids", "num_batches_tracked", "inv_freq")
"""Ends of names in older files that hold no weights: counters, and what is computed again."""
SHOWN = 3
"""Names that a sentence gives."""
TRUST = "Read that code, and give --trust-remote-code if it may run on your machine."

Index = Mapping[str, Any]


def read_folder(folder: Path, dtype: torch.dtype, trust: bool) -> Any:
    """The pipeline of a diffusers folder, with every weight from its files.

    Raises UserError for code and pickles unless `trust`, for missing parts, and for weights that
    are missing, superfluous or not finite.
    """
    from diffusers import DiffusionPipeline

    index = vetted(folder, trust)
    variant = _variant(folder)
    models = {
        name: read_part(folder / name, kind, dtype, variant)
        for name, kind in _models(index).items()
        if not (trust and _pickled(folder / name))
    }
    pipeline = DiffusionPipeline.from_pretrained(
        folder, torch_dtype=dtype, local_files_only=True, variant=variant, trust_remote_code=trust,
        use_safetensors=None if trust else True, **models,
    )  # fmt: skip
    return whole(pipeline, folder)


def _variant(folder: Path) -> str | None:
    """`fp16` for a folder that contains its weights only at half precision, under another name."""
    weights = [p.name for p in folder.rglob("*.safetensors")]
    half = [n for n in weights if ".fp16." in n]
    return "fp16" if half and len(half) == len(weights) else None


def read_file(path: Path, dtype: torch.dtype, config: Path | None) -> Any:
    """A single checkpoint, as published by the original code bases and most model sites.

    `config` is a diffusers folder that describes it; by default the hub's. Raises UserError as
    `read_folder` does, and for a LoRA.
    """
    import diffusers
    from diffusers.loaders.single_file_utils import (
        fetch_diffusers_config,
        load_single_file_checkpoint,
    )

    if (named := keys(path)) and all("lora" in k.lower() or ".alpha" in k for k in named):
        raise UserError(f"{path} is a LoRA. Give the model that it is laid on, and --lora {path}.")
    if config is None:
        where = fetch_diffusers_config(load_single_file_checkpoint(str(path)))
        where = where["pretrained_model_name_or_path"]
        try:
            index = diffusers.DiffusionPipeline.load_config(where)
        except Exception as error:  # the hub's client raises errors of many libraries
            raise UserError(
                f"{path} is a checkpoint of the kind {where}, whose configuration could not be "
                "downloaded from the hub. Give a diffusers folder of that kind with --config."
            ) from error
    else:
        where, index = str(config), vetted(config, trust=False, weights=False)
    kind = getattr(diffusers, str(index["_class_name"]), None)
    if kind is None or not hasattr(kind, "from_single_file"):
        raise UserError(f"{path}: a {index['_class_name']} cannot be read from a single file.")
    try:
        pipeline = kind.from_single_file(
            str(path), config=where, torch_dtype=dtype, local_files_only=config is not None
        )
    except NotImplementedError as error:  # some weights have no values yet when they are moved
        raise UserError(
            f"{path} lacks weights of a {index['_class_name']}. Fetch it again, or give a --config "
            "that describes it."
        ) from error
    return whole(pipeline, path)


def keys(path: Path) -> list[str]:
    """Names of the weights in a safetensors file, from its head."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return list(file.keys())


def vetted(folder: Path, trust: bool, weights: bool = True) -> dict[str, Any]:
    """The model_index.json of a folder whose parts are those of the libraries, none of them absent.

    Raises UserError for code that comes with the folder, and for pickled weights, unless `trust`.
    Without `weights` a part may be a configuration alone.
    """
    index = loads((folder / "model_index.json").read_bytes(), finite=False)
    if not isinstance(index, dict):
        raise UserError(f"{folder / 'model_index.json'} is not a list of parts. Fetch it again.")
    if not trust:
        _refuse_code(folder, index)
    for name, (library, kind) in _parts(index).items():
        files = [p.name for p in (folder / name).iterdir()] if (folder / name).is_dir() else []
        if not files:
            raise UserError(f"{folder} lacks the folder {name} of its {kind}. Fetch it again.")
        words = kind.endswith(("Tokenizer", "TokenizerFast")) and library == "transformers"
        if words and not any(f in VOCABULARIES or f.endswith(".model") for f in files):
            raise UserError(
                f"{folder / name} has no vocabulary ({', '.join(VOCABULARIES)} or *.model), so "
                f"prompts cannot be read. Save the {kind} again."
            )
        if weights and not trust and _pickled(folder / name):
            raise _unsafe(folder / name)
    return index


def _unsafe(folder: Path) -> UserError:
    return UserError(
        f"{folder} has pickled weights alone, which can run code when they are read. Convert them "
        "to safetensors."
    )


def refuse_files(folder: Path) -> None:
    """Raise UserError for the folder of one part that has Python code, or pickled weights alone."""
    code = sorted(p for p in folder.rglob("*.py"))
    if code:
        raise UserError(
            f"{folder} contains Python code ({code[0].name}). Delete it, or give another folder."
        )
    if _pickled(folder):
        raise _unsafe(folder)


def _refuse_code(folder: Path, index: Index) -> None:
    import diffusers

    if not isinstance(index.get("_class_name"), str):
        raise UserError(f"{folder} contains its own pipeline as Python code. {TRUST}")
    for name, entry in index.items():
        library = entry[0] if isinstance(entry, list) and entry else None
        known = library in ("diffusers", "transformers") or (
            not isinstance(library, str)
            or (library.isidentifier() and hasattr(diffusers.pipelines, library))
        )
        if not known and not name.startswith("_"):
            raise UserError(
                f"{folder}: the part {name} is of {library!r}, which is neither diffusers nor "
                f"transformers. {TRUST}"
            )
    code = sorted(p for p in folder.rglob("*.py"))
    if code:
        raise UserError(f"{folder} contains Python code ({code[0].name}). {TRUST}")


def _parts(index: Index) -> dict[str, tuple[str, str]]:
    """Library and class of each part that the pipeline has; other entries are settings."""
    return {
        name: (entry[0], entry[1])
        for name, entry in index.items()
        if not name.startswith("_")
        and isinstance(entry, list) and len(entry) == 2 and all(isinstance(e, str) for e in entry)
    }  # fmt: skip


def _pickled(folder: Path) -> bool:
    """Whether a part's weights are pickles alone."""
    suffixes = {p.suffix for p in folder.iterdir()} if folder.is_dir() else set()
    return not suffixes.isdisjoint(PICKLED) and ".safetensors" not in suffixes


def _models(index: Index) -> dict[str, Any]:
    """The classes of the parts that have weights, by name of the part."""
    import diffusers
    import transformers

    libraries = {"diffusers": diffusers, "transformers": transformers}
    found = {}
    for name, (library, kind) in _parts(index).items():
        module = libraries.get(library) or getattr(diffusers.pipelines, library, None)
        made = getattr(module, kind, None)
        if isinstance(made, type) and issubclass(
            made, diffusers.ModelMixin | transformers.PreTrainedModel
        ):
            found[name] = made
    return found


def read_part(
    folder: Path, kind: Any, dtype: torch.dtype, variant: str | None = None
) -> Any:  # fmt: skip
    """One model of a pipeline; UserError for weights that are missing or superfluous.

    Without a `variant`, that of the folder's files.
    """
    import diffusers

    variant = variant or _variant(folder)

    argument = "torch_dtype" if issubclass(kind, diffusers.ModelMixin) else "dtype"
    model, found = kind.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, variant=variant,
        output_loading_info=True, **{argument: dtype},
    )  # fmt: skip
    missing = sorted(map(str, found.get("missing_keys", ())))
    extra = sorted(
        k for k in map(str, found.get("unexpected_keys", ())) if not k.endswith(UNNEEDED)
    )
    if missing:
        raise _wrong(folder, kind, f"lacks {len(missing)} weights of", missing)
    if extra:
        raise _wrong(folder, kind, f"has {len(extra)} weights that are not part of", extra)
    return model


def _wrong(folder: Path, kind: Any, what: str, names: Iterable[str]) -> UserError:
    some = list(names)
    shown = ", ".join(some[:SHOWN]) + (", ..." if len(some) > SHOWN else "")
    return UserError(
        f"{folder} {what} its {kind.__name__} ({shown}). Fetch it again, or save it with the "
        "configuration that it was trained with."
    )


def whole(pipeline: Any, path: Path) -> Any:
    """The pipeline, unchanged; UserError for weights that are not there or not finite."""
    for name, part in pipeline.components.items():
        if not isinstance(part, torch.nn.Module):
            continue
        absent = [k for k, v in part.state_dict().items() if v.is_meta]
        if absent:
            raise _wrong(path, type(part), f"lacks {len(absent)} weights of", absent)
        bad = [k for k, v in part.named_parameters() if not _finite(v)]
        if bad:
            raise UserError(
                f"{path}: {len(bad)} weights of {name} are not finite at "
                f"{str(next(part.parameters()).dtype).removeprefix('torch.')} ({bad[0]}, ...). "
                "Fetch it again, or try --dtype float32."
            )
    return pipeline


def _finite(weights: torch.Tensor) -> bool:
    if not weights.is_floating_point() or not weights.numel() or weights.dtype.itemsize < 2:
        return True  # quantised weights are scaled elsewhere
    low, high = torch.aminmax(weights.detach())
    return bool(torch.isfinite(low) and torch.isfinite(high))
