"""Tell a person what a version is: the whole card, and a short form for MLflow's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.gates import GateReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.package import Package
    from pipeline.state import ModelVersion

__all__ = ["mlflow_description", "version_card"]

_MLFLOW_MAX_CHARS = 5000


def version_card(version: ModelVersion, package: Package) -> str:
    """Return the model card of a registered package, with what its gates said."""
    gates = version.tags.get("gates")
    said = "## Gates\n\nIt was never judged.\n" if gates is None else GateReport.from_dict(gates).as_markdown()
    return f"{package.card.rstrip()}\n\n{said}"


def mlflow_description(version: ModelVersion) -> str:
    """Return the description on MLflow's page in Markdown, at most 5,000 characters, which is what MLflow keeps."""
    text = "\n".join(_description_lines(version))
    return text if len(text) <= _MLFLOW_MAX_CHARS else f"{text[: _MLFLOW_MAX_CHARS - 4].rstrip()} ..."


def _description_lines(version: ModelVersion) -> Iterator[str]:
    tags = version.tags
    yield f"**{version.model} {version.semver}**, version {version.version} of the state database."
    if version.description:
        yield ""
        yield version.description
    yield ""
    yield from _lineage_lines(version.digest, tags)
    metrics = tags.get("metrics") or {}
    if metrics:
        yield ""
        yield "| metric | mean over folds |"
        yield "| --- | --- |"
        yield from (f"| {name} | {value:.4g} |" for name, value in metrics.items() if value is not None)
    yield ""
    gates = tags.get("gates")
    yield "It was never judged by gates." if gates is None else GateReport.from_dict(gates).as_markdown()
    yield f"Look at it: `mlops models show {version.version} --lineage`. Make it again: `mlops models reproduce"
    yield f"{version.version}`. MLflow shows what was decided; `mlops promote` decides."


def _lineage_lines(digest: str, tags: Mapping[str, Any]) -> Iterator[str]:
    yield f"- package `{digest[:12]}`"
    commit = tags.get("git.commit")
    if commit is not None:
        dirty = " with edits that were not committed" if tags.get("git.dirty") == "true" else ""
        yield f"- commit `{commit}`{dirty}"
    if "data_sha256" in tags:
        parts = ", ".join(f"{part} `{value[:12]}`" for part, value in tags["data_sha256"].items())
        yield f"- rows of `{tags.get('data', 'the problem')}`: {parts}"
    if "params_sha256" in tags:
        yield f"- settings `{tags['params_sha256'][:12]}`"
