"""Compare registered versions: one row for each, or all differences between two."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.gates import compare_packages, compare_schemas
from pipeline.metrics import METRICS, comparison_verdict
from pipeline.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.gates import SchemaChange
    from pipeline.metrics import ComparisonVerdict, MetricEstimate
    from pipeline.package import Package
    from pipeline.state import ModelVersion

__all__ = ["VersionDetails", "VersionDiff", "VersionDifference", "compare_versions", "diff_versions"]

_CONFIDENCE_LEVEL = 0.95
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
    """The differences from version `old` to version `new`, by kind; equal values are left out.

    Settings are compared only when those of both versions are known; `unknown_settings` lists the versions whose are
    not, because no commit names their package.
    """

    old: int
    new: int
    properties: tuple[VersionDifference, ...]
    settings: tuple[VersionDifference, ...]
    metrics: tuple[VersionDifference, ...]
    schema: tuple[SchemaChange, ...]
    test_differences: Mapping[str, MetricEstimate]
    unknown_settings: tuple[int, ...] = ()

    def verdict(self, metric: str) -> ComparisonVerdict:
        """Return the verdict of the paired difference on the test rows; `not compared` without common test rows."""
        return comparison_verdict(self.test_differences.get(metric), higher_is_better=METRICS[metric].higher_is_better)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        differences = {
            name: {**difference.as_dict(), "verdict": self.verdict(name)}
            for name, difference in self.test_differences.items()
        }
        return {**asdict(self), "test_differences": differences}

    def as_text(self) -> str:
        """Return lines for a terminal."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"version {self.old} -> version {self.new}"
        for title, differences in (("property", self.properties), ("setting", self.settings), ("metric", self.metrics)):
            yield from (
                f"  {title:<9} {difference}{f' ({self._note(difference.name)})' if title == 'metric' else ''}"
                for difference in differences
            )
        if self.unknown_settings:
            versions = " and ".join(map(str, self.unknown_settings))
            yield f"  {'setting':<9} not compared: no commit holds the settings of version {versions}; commit dvc.lock"
        for change in self.schema:
            yield f"  {'feature':<9} {change}{' (breaks callers)' if change.is_breaking else ''}"
        if not any((self.properties, self.settings, self.unknown_settings, self.metrics, self.schema)):
            yield "  no differences"

    def _note(self, metric: str) -> str:
        difference = self.test_differences.get(metric)
        if metric not in METRICS or difference is None or difference.value is None:
            return "not compared"
        value = f"{difference.value:+.4g} on the test rows"
        if difference.low is None or difference.high is None:
            return f"{self.verdict(metric)}: {value}; {difference.reason}"
        return f"{self.verdict(metric)}: {value}, from {difference.low:+.4g} to {difference.high:+.4g}"


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


def diff_versions(old: VersionDetails, new: VersionDetails, *, test_rows: Path) -> VersionDiff:
    """Return the differences between two versions.

    Parameters
    ----------
    old, new : VersionDetails
        Their metrics are means over folds.
    test_rows : Path
        File of test rows. It decides what is better when both versions were trained beside it.
    """
    unknown_settings = _versions_of_unknown_settings(old, new)
    return VersionDiff(
        old=old.version.version,
        new=new.version.version,
        properties=tuple(_differences(_version_properties(old), _version_properties(new))),
        settings=() if unknown_settings else tuple(_differences(old.settings, new.settings)),
        metrics=tuple(_differences(old.package.metrics, new.package.metrics)),
        schema=tuple(compare_schemas(old.package.schema, new.package.schema)),
        test_differences=_test_differences(old.package, new.package, test_rows),
        unknown_settings=unknown_settings,
    )


def _versions_of_unknown_settings(old: VersionDetails, new: VersionDetails) -> tuple[int, ...]:
    """Return the versions whose settings no commit holds; none where both are one package."""
    if old.package.digest == new.package.digest:
        return ()
    return tuple(details.version.version for details in (old, new) if not details.settings)


def _test_differences(old: Package, new: Package, test_rows: Path) -> dict[str, MetricEstimate]:
    """Return the paired differences on the test rows; empty when one version was not trained beside them."""
    digests = {package.lineage.get("data_sha256", {}).get("test") for package in (old, new)}
    if not test_rows.is_file() or digests != {files.sha256_file(test_rows)}:
        return {}
    names = [name for name in new.metrics if name in METRICS]
    rows = files.read_parquet(test_rows)
    return compare_packages(new, old, rows, names=names, confidence_level=_CONFIDENCE_LEVEL)


def _version_properties(details: VersionDetails) -> dict[str, Any]:
    package, version = details.package, details.version
    hashes = package.lineage.get("data_sha256", {})
    return {
        "model": package.manifest.model,
        "stage": version.stage,
        "semver": version.semver,
        "package": version.digest[:12],
        "commit": details.commit or "unknown",
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
    text = str(value)
    return text[:12] if _HASH.fullmatch(text) else shorten(text)
