"""Report the state of a model: runs, versions, deployments and recent decisions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.markdown_text import code_span, escape_markdown
from pipeline.text import pluralize, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.package import Package
    from pipeline.state import AuditEntry, ModelVersion

__all__ = ["BestModel", "MlopsReport"]

_N_RECENT_DECISIONS = 5


@dataclass(frozen=True, slots=True)
class BestModel:
    """The registered version with the best mean of a metric over its folds, and its package."""

    version: ModelVersion
    metric: str
    value: float
    higher_is_better: bool
    model: Package


@dataclass(frozen=True, slots=True)
class MlopsReport:
    """The state of the model of a project.

    Attributes
    ----------
    model : str
    n_runs : int or None
        Runs of the experiment; None when MLflow is unreachable.
    versions : tuple of ModelVersion
        Oldest first.
    deployed_versions : dict
        Stage -> version.
    generation : int
        Number of decisions so far.
    quality_scores : dict
        Quality score of every validated DataFrame, 0 to 100.
    decisions : tuple of AuditEntry
        The last five, oldest first.
    is_audit_trail_intact : bool
        Whether the hash chain of the audit trail is unbroken.
    """

    model: str
    n_runs: int | None
    versions: tuple[ModelVersion, ...]
    deployed_versions: Mapping[str, int]
    generation: int
    quality_scores: Mapping[str, float]
    decisions: tuple[AuditEntry, ...]
    is_audit_trail_intact: bool

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def as_markdown(self) -> str:
        """Return the report in Markdown."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"# {escape_markdown(self.model)}"
        yield ""
        runs = "MLflow is unreachable" if self.n_runs is None else pluralize(self.n_runs, "run")
        yield f"{runs}, {len(self.versions)} registered versions, generation {self.generation}."
        yield f"The audit trail is {'intact' if self.is_audit_trail_intact else '**broken**'}."
        yield ""
        yield "| version | semver | stage | gates | model |"
        yield "| --- | --- | --- | --- | --- |"
        for version in self.versions:
            verdict = (version.tags.get("gates") or {}).get("verdict", "not evaluated")
            cells = (version.version, version.semver, version.stage, verdict, version.tags.get("model", ""))
            yield f"| {' | '.join(map(escape_markdown, cells))} |"
        if self.quality_scores:
            yield ""
            yield from (
                f"- quality of {code_span(name)}: {score:.1f} of 100" for name, score in self.quality_scores.items()
            )
        if self.decisions:
            yield ""
            yield from (
                f"- {escape_markdown(_format_decision(entry))}" for entry in self.decisions[-_N_RECENT_DECISIONS:]
            )


def _format_decision(entry: AuditEntry) -> str:
    moment = timestamp(entry.recorded_at)
    reason = f" ({entry.reason})" if entry.reason else ""
    return f"{moment} {entry.actor}: {entry.action} version {entry.version}{reason}"
