"""Describe a version: its whole model card, and a short form for its MLflow page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates import GateReport
from pipeline.markdown_text import code_span, escape_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.package import Package
    from pipeline.state import ModelVersion

__all__ = ["mlflow_description", "version_card"]

_MLFLOW_MAX_CHARS = 5000


def version_card(version: ModelVersion, package: Package) -> str:
    """Return the model card of a registered package, with the results of its gates."""
    gates = version.tags.get("gates")
    gates_section = (
        "## Gates\n\nThe gates were never evaluated.\n" if gates is None else GateReport.from_dict(gates).as_markdown()
    )
    return f"{package.card.rstrip()}\n\n{gates_section}"


def mlflow_description(version: ModelVersion) -> str:
    """Return the description for the MLflow page in Markdown, cut to the 5,000 characters that MLflow stores."""
    text = "\n".join(_description_lines(version))
    return text if len(text) <= _MLFLOW_MAX_CHARS else f"{text[: _MLFLOW_MAX_CHARS - 4].rstrip()} ..."


def _description_lines(version: ModelVersion) -> Iterator[str]:
    tags = version.tags
    yield f"**{escape_markdown(version.model)} {version.semver}**, version {version.version} of the state database."
    if version.description:
        yield ""
        yield escape_markdown(version.description)
    yield ""
    yield from _lineage_lines(version.digest, tags)
    metrics = tags.get("metrics") or {}
    if metrics:
        yield ""
        yield "| metric | mean over folds |"
        yield "| --- | --- |"
        yield from (
            f"| {escape_markdown(name)} | {value:.4g} |" for name, value in metrics.items() if value is not None
        )
    yield ""
    gates = tags.get("gates")
    yield "The gates were never evaluated." if gates is None else GateReport.from_dict(gates).as_markdown()
    yield f"Details: `mlops models show {version.version} --lineage`. Reproduce: `mlops models reproduce"
    yield f"{version.version}`. MLflow only mirrors stages; change them with `mlops promote`."


def _lineage_lines(digest: str, tags: Mapping[str, Any]) -> Iterator[str]:
    yield f"- package `{digest[:12]}`"
    commit = tags.get("git.commit")
    if commit is not None:
        dirty = " with uncommitted edits" if tags.get("git.dirty") == "true" else ""
        yield f"- commit {code_span(commit)}{dirty}"
    if "data_sha256" in tags:
        parts = ", ".join(
            f"{escape_markdown(part)} {code_span(value[:12])}" for part, value in tags["data_sha256"].items()
        )
        yield f"- data {code_span(tags.get('data', 'unknown'))}: {parts}"
    if "params_sha256" in tags:
        yield f"- settings `{tags['params_sha256'][:12]}`"
