"""List all differences between two versions: properties, settings, features, gates and test metrics."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.gates import compare_schemas
from pipeline.metrics.metric_labels import metric_label
from pipeline.text import number, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.gates import SchemaChange
    from pipeline.state import ModelVersion
    from pipeline.version_comparison.evaluation_comparison import EvaluationComparison, VersionDetails

__all__ = ["GateResults", "VersionDiff", "VersionDifference", "diff_versions", "version_rows"]

_HASH = re.compile(r"[0-9a-f]{32,64}")


@dataclass(frozen=True, slots=True)
class VersionDifference:
    """One value that differs between two versions."""

    name: str
    old: Any
    new: Any

    @property
    def texts(self) -> tuple[str, str]:
        """Both values as short text."""
        return _format_value(self.old), _format_value(self.new)

    def __str__(self) -> str:
        return f"{self.name}: {' -> '.join(self.texts)}"


@dataclass(frozen=True, slots=True)
class GateResults:
    """One gate of two versions; a result is None where the gate was not evaluated.

    Each version met its gates at its registration, against the champion of that time.
    """

    name: str
    first: str | None
    second: str | None
    first_reason: str = ""
    second_reason: str = ""


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """The differences from version `old` to version `new`, by kind; equal values are left out.

    Settings are compared only when those of both versions are known; `unknown_settings` lists the versions whose
    package does not have them. `gates` has all gates of both.
    """

    old: int
    new: int
    properties: tuple[VersionDifference, ...]
    settings: tuple[VersionDifference, ...]
    schema: tuple[SchemaChange, ...]
    gates: tuple[GateResults, ...]
    evaluation: EvaluationComparison
    unknown_settings: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        differences = {
            "old": self.old,
            "new": self.new,
            "unknown_settings": list(self.unknown_settings),
            **{
                name: [asdict(item) for item in getattr(self, name)]
                for name in ("properties", "settings", "schema", "gates")
            },
        }
        return {**differences, "evaluation": self.evaluation.as_dict()}

    def as_text(self) -> str:
        """Return lines for a terminal."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"version {self.old} -> version {self.new}"
        yield from (f"  {'property':<9} {difference}" for difference in self.properties)
        yield from (f"  {'setting':<9} {difference}" for difference in self.settings)
        if self.unknown_settings:
            versions = " and ".join(map(str, self.unknown_settings))
            yield f"  {'setting':<9} not compared: the package of version {versions} has no settings"
        for change in self.schema:
            yield f"  {'feature':<9} {change}{' (breaks callers)' if change.is_breaking else ''}"
        for gate in self.gates:
            if gate.first != gate.second:
                results = " -> ".join(result or "not evaluated" for result in (gate.first, gate.second))
                yield f"  {'gate':<9} {gate.name}: {results}"
        if self.evaluation.metrics:
            yield ""
            yield from self._metric_lines()
        yield ""
        yield self.evaluation.summary
        if self.evaluation.metrics:
            yield self.evaluation.rows_sentence

    def _metric_lines(self) -> Iterator[str]:
        header = ("metric", f"version {self.old}", f"version {self.new}", "difference", "interval", "verdict")
        rows = [header, *(self._metric_cells(position) for position in range(len(self.evaluation.metrics)))]
        widths = [max(len(row[at]) for row in rows) for at in range(len(header))]
        for row in rows:
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    def _metric_cells(self, position: int) -> tuple[str, ...]:
        metric = self.evaluation.metrics[position]
        difference = metric.difference
        interval = "-"
        if difference.low is not None and difference.high is not None:
            interval = f"{number(difference.low, signed=True)} to {number(difference.high, signed=True)}"
        return (
            metric_label(metric.name),
            number(metric.first.value),
            number(metric.second.value),
            number(difference.value, signed=True),
            interval,
            metric.verdict,
        )


def diff_versions(old: VersionDetails, new: VersionDetails, evaluation: EvaluationComparison) -> VersionDiff:
    """Return the differences between two versions, whose comparison on test rows is `evaluation`."""
    unknown_settings = _versions_of_unknown_settings(old, new)
    return VersionDiff(
        old=old.version.version,
        new=new.version.version,
        properties=tuple(_differences(_version_properties(old), _version_properties(new))),
        settings=() if unknown_settings else tuple(_differences(old.settings, new.settings)),
        schema=tuple(compare_schemas(old.package.schema, new.package.schema)),
        gates=_gate_results(old.version, new.version),
        evaluation=evaluation,
        unknown_settings=unknown_settings,
    )


def version_rows(versions: Sequence[ModelVersion]) -> list[dict[str, Any]]:
    """Return one row for each version: its numbers, stage, gate verdict, model, and mean metrics over folds."""
    return [
        {
            "version": version.version,
            "semver": version.semver,
            "stage": version.stage,
            "gates": (version.tags.get("gates") or {}).get("verdict", "not evaluated"),
            "model": version.tags.get("model"),
            **(version.tags.get("metrics") or {}),
        }
        for version in versions
    ]


def _versions_of_unknown_settings(old: VersionDetails, new: VersionDetails) -> tuple[int, ...]:
    """Return the versions without known settings; none where both are one package."""
    if old.package.digest == new.package.digest:
        return ()
    return tuple(details.version.version for details in (old, new) if not details.settings)


def _gate_results(old: ModelVersion, new: ModelVersion) -> tuple[GateResults, ...]:
    """Return every gate of both versions, in the order of the newer one."""
    first, second = (
        {gate["name"]: gate for gate in (version.tags.get("gates") or {}).get("gates", ())} for version in (old, new)
    )
    return tuple(
        GateResults(
            name,
            first.get(name, {}).get("result"),
            second.get(name, {}).get("result"),
            first.get(name, {}).get("reason", ""),
            second.get(name, {}).get("reason", ""),
        )
        for name in dict.fromkeys((*second, *first))
    )


def _version_properties(details: VersionDetails) -> dict[str, Any]:
    package, version = details.package, details.version
    hashes = package.lineage.get("data_sha256", {})
    return {
        "model": package.manifest.model,
        "stage": version.stage,
        "semver": version.semver,
        "package": version.digest[:12],
        "commit": version.tags.get("git.commit", "unknown"),
        "uncommitted edits": version.tags.get("git.dirty", "unknown"),
        "settings": package.lineage.get("params_sha256"),
        "seed": package.lineage.get("seed"),
        "serving form": "ONNX" if package.onnx_used else "scikit-learn",
        **{f"data of {part}": value for part, value in hashes.items()},
        **{f"library {name}": number for name, number in package.manifest.libraries.items()},
    }


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[VersionDifference]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield VersionDifference(name, old.get(name), new.get(name))


def _format_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = "-" if value is None else str(value)
    return text[:12] if _HASH.fullmatch(text) else shorten(text)
