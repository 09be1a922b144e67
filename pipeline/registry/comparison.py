"""Lay registered versions side by side, and say what differs between two of them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.gates import compare_schemas
from pipeline.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.gates import SchemaChange
    from pipeline.package import Package
    from pipeline.state import ModelVersion

__all__ = ["VersionDetails", "VersionDiff", "VersionDifference", "compare_versions", "diff_versions"]


_HASH = re.compile(r"[0-9a-f]{32,64}")


@dataclass(frozen=True, slots=True)
class VersionDetails:
    """A version with its package, its commit and the settings of that (None and empty where no commit names it)."""

    version: ModelVersion
    package: Package
    commit: str | None
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VersionDifference:
    """One thing that differs between two versions."""

    name: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.name}: {_format_value(self.old)} -> {_format_value(self.new)}"


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What differs from version `old` to version `new`, by kind; metrics that are equal are left out, too."""

    old: int
    new: int
    properties: tuple[VersionDifference, ...]
    settings: tuple[VersionDifference, ...]
    metrics: tuple[VersionDifference, ...]
    schema: tuple[SchemaChange, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def as_text(self) -> str:
        """Return lines for a terminal."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"version {self.old} -> version {self.new}"
        for title, found in (("facts", self.properties), ("settings", self.settings), ("metrics", self.metrics)):
            yield from (f"  {title:<9} {one}{_improvement_note(one) if title == 'metrics' else ''}" for one in found)
        for change in self.schema:
            yield f"  {'columns':<9} {change}{' (breaks callers)' if change.is_breaking else ''}"
        if not any((self.properties, self.settings, self.metrics, self.schema)):
            yield "  nothing differs"


def compare_versions(versions: Sequence[ModelVersion]) -> list[dict[str, Any]]:
    """Return one row for each version: who it is, where it stands, and the means of its metrics over folds."""
    return [
        {
            "version": one.version,
            "semver": one.semver,
            "stage": one.stage,
            "gates": (one.tags.get("gates") or {}).get("verdict", "not judged"),
            "model": one.tags.get("model"),
            **(one.tags.get("metrics") or {}),
        }
        for one in versions
    ]


def diff_versions(old: VersionDetails, new: VersionDetails) -> VersionDiff:
    """Return what differs from one version to another."""
    return VersionDiff(
        old=old.version.version,
        new=new.version.version,
        properties=tuple(_differences(_version_properties(old), _version_properties(new))),
        settings=tuple(_differences(old.settings, new.settings)),
        metrics=tuple(_differences(old.package.metrics, new.package.metrics)),
        schema=tuple(compare_schemas(old.package.schema, new.package.schema)),
    )


def _version_properties(known: VersionDetails) -> dict[str, Any]:
    package, version = known.package, known.version
    parts = package.lineage.get("data_sha256", {})
    return {
        "model": package.manifest.model,
        "stage": version.stage,
        "semver": version.semver,
        "package": version.digest[:12],
        "commit": known.commit,
        "settings": package.lineage.get("params_sha256"),
        "seed": package.lineage.get("seed"),
        "served by": "ONNX" if package.onnx_used else "scikit-learn",
        **{f"rows of {part}": value for part, value in parts.items()},
        **{f"library {name}": number for name, number in package.manifest.libraries.items()},
    }


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[VersionDifference]:
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield VersionDifference(name, old.get(name), new.get(name))


def _improvement_note(one: VersionDifference) -> str:
    if one.name not in METRICS or one.old is None or one.new is None:
        return ""
    return " (better)" if (one.new > one.old) is METRICS[one.name].higher_is_better else " (worse)"


def _format_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text[:12] if _HASH.fullmatch(text) else text if len(text) <= 60 else f"{text[:57]}..."
