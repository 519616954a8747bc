"""A section of a model card: the findings in words and tables, and metadata for the Hub."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from audit.keys import BASELINE
from audit.records import Finding
from audit.report import wording
from audit.report.exports.markdown import code, escape, span, table

SECTIONS = {
    "representation": "Who appears when the prompt does not say",
    "replication": "Copies of training images",
    "conversation": "What stays from turn to turn",
    "mitigation": "What mitigations change",
    "quality": "Measurement error",
}
METRICS = 60
"""Most results in the metadata; the tables contain all of a section."""


def whole(f: Finding) -> bool:
    """Whether a finding is about the run as a whole and so goes into the metadata."""
    if f.section == "representation":
        return f.arm == BASELINE and f.key.everyone
    if f.section == "replication":
        return f.unit != "count"
    return f.section == "mitigation" and f.key.kind in ("target-distance", "cost")


def results(findings: Sequence[Finding], suite: str) -> list[EvalResult]:
    """Evaluation results of the whole run in the Hub's form; only those with an interval.

    The specification (huggingface/hub-docs, modelcard.md) has no field for an interval: it is in
    the metric's name for readers, and with n in its free `args` for programs.
    """
    return [
        EvalResult(
            task_type="text-to-image", task_name="Text-to-image generation",
            dataset_type="t2i-audit", dataset_name=f"t2i-audit suite {wording.clip(suite, 80)}",
            metric_type=f"t2i-audit/{f.section}", metric_value=round(f.estimate, 6),
            metric_name=wording.clip(
                f"{f.quantity}, {f.where} (95 % interval {f.low:.4g} to {f.high:.4g}, "
                f"n = {f.n})", 300,
            ),
            metric_args={
                "finding": wording.clip(f.id, 200), "low": round(f.low, 6),
                "high": round(f.high, 6), "n": f.n, "missing": f.missing,
            },
        )
        for f in [f for f in findings if whole(f) and _known(f)][:METRICS]
    ]  # fmt: skip


def _known(f: Finding) -> bool:
    return all(math.isfinite(x) for x in (f.estimate, f.low, f.high))


def card(findings: Sequence[Finding], manifest: Mapping[str, Any]) -> str:
    """Markdown with a YAML header, to be merged into a model's README.md.

    `manifest` is the run folder's own record: suite, settings, versions, and if they are known its
    date as `written` and its `readers`.
    """
    settings, suite = manifest.get("settings", {}), str(manifest.get("suite", ""))
    found = results(findings, suite)
    name = wording.clip(settings.get("model", "model"), 120) or "model"
    data = (
        ModelCardData(model_name=name, eval_results=found, tags=["t2i-audit"])
        if found
        else ModelCardData(tags=["t2i-audit"])
    )
    parts = [_head(suite, settings, manifest)]
    for section, title in SECTIONS.items():
        mine = [f for f in findings if f.section == section]
        if mine:
            parts.append(f"### {title}\n\n{_table(mine)}")
    parts.append("### What this does not say\n\n" + "\n".join(_limits()))
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"


def _head(suite: str, settings: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    versions, readers = manifest.get("versions", {}), manifest.get("readers", {})
    written = str(manifest.get("written", ""))
    shown = {
        "Suite": suite, "Model": settings.get("model", ""),
        "Revision": settings.get("revision", ""), "Steps": settings.get("steps", ""),
        "Guidance": settings.get("guidance", ""), "Audited with": versions.get("t2i-audit", ""),
        "Date": written[:10], "Read by": "; ".join(dict.fromkeys(map(str, readers.values()))),
    }  # fmt: skip
    rows = [[k, escape(v, 120)] for k, v in shown.items() if str(v)]
    return (
        "## Audit of stereotypes and of copied training images\n\n"
        "Numbers with 95 % intervals and n, the number of images behind each.\n\n"
        + table(("", ""), rows)
    )


def _table(findings: Sequence[Finding]) -> str:
    rows = [
        [
            escape(f.where, 80), escape(f.quantity, 120), escape(wording.arm(f.arm), 40),
            escape(wording.estimate(f)), escape(span(f)), str(f.n), str(f.missing),
            escape(wording.short_verdict(f)), code(f.id),
        ]
        for f in findings
    ]  # fmt: skip
    heads = ("About", "Quantity", "Rewrite", "Estimate", "95 % interval", "n", "Missing", "Verdict",
             "Finding")  # fmt: skip
    return table(heads, rows, right=(3, 5, 6))


def _limits() -> list[str]:
    return [f"- {escape(line, 1000)}" for line in wording.CANNOT]
