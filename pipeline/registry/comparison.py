"""Compare registered versions: one row for each, or all differences between two."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.gates import compare_schemas
from pipeline.metrics import METRICS
from pipeline.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.gates import SchemaChange
    from pipeline.package import Package
    from pipeline.state import ModelVersion

__all__ = ["VersionDetails", "VersionDiff", "VersionDifference", "compare_versions", "diff_versions"]


_HASH = re.compile(r"[0-9a-f]{32,64}")


@dataclass(frozen=True, slots=True)
class VersionDetails:
    """A version with its package, its commit and the settings of that commit; None and empty without a commit."""

    version: ModelVersion
    package: Package
    commit: str | None
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VersionDifference:
    """One value that differs between two versions."""

    name: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.name}: {_format_value(self.old)} -> {_format_value(self.new)}"


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """The differences from version `old` to version `new`, by kind; equal values are left out."""

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
        for title, differences in (("property", self.properties), ("setting", self.settings), ("metric", self.metrics)):
            yield from (
                f"  {title:<9} {difference}{_improvement_note(difference) if title == 'metric' else ''}"
                for difference in differences
            )
        for change in self.schema:
            yield f"  {'feature':<9} {change}{' (breaks callers)' if change.is_breaking else ''}"
        if not any((self.properties, self.settings, self.metrics, self.schema)):
            yield "  no differences"


def compare_versions(versions: Sequence[ModelVersion]) -> list[dict[str, Any]]:
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


def diff_versions(old: VersionDetails, new: VersionDetails) -> VersionDiff:
    """Return the differences between two versions."""
    return VersionDiff(
        old=old.version.version,
        new=new.version.version,
        properties=tuple(_differences(_version_properties(old), _version_properties(new))),
        settings=tuple(_differences(old.settings, new.settings)),
        metrics=tuple(_differences(old.package.metrics, new.package.metrics)),
        schema=tuple(compare_schemas(old.package.schema, new.package.schema)),
    )


def _version_properties(details: VersionDetails) -> dict[str, Any]:
    package, version = details.package, details.version
    hashes = package.lineage.get("data_sha256", {})
    return {
        "model": package.manifest.model,
        "stage": version.stage,
        "semver": version.semver,
        "package": version.digest[:12],
        "commit": details.commit,
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


def _improvement_note(difference: VersionDifference) -> str:
    if difference.name not in METRICS or difference.old is None or difference.new is None:
        return ""
    return " (better)" if (difference.new > difference.old) is METRICS[difference.name].higher_is_better else " (worse)"


def _format_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text[:12] if _HASH.fullmatch(text) else shorten(text)
