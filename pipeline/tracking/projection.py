"""Build one MLflow run from the outputs of a finished graph."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import DataError
from pipeline.evaluation.plots import PLOT_FUNCTIONS, draw_plot
from pipeline.project import paths
from pipeline.tracking.dataset_description import describe_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.tracking.run_operations import LoggedDataset

__all__ = ["PROJECTED_OUTPUTS", "RunProjection", "build_projection", "logged_params"]

PROJECTED_OUTPUTS = (
    paths.SOURCE_FINGERPRINT,
    paths.VALIDATION_REPORT,
    paths.VALIDATION_HTML,
    paths.SPLIT_REPORT,
    paths.EVALUATION_REPORT,
    paths.MODEL_CARD,
    paths.TRAIN_METRICS,
    paths.TEST_METRICS,
    paths.PLOTS,
    paths.CANDIDATE_PACKAGE,
)
# A run needs these outputs; the others are optional.
_REQUIRED_OUTPUTS = (
    paths.PARAMS,
    paths.SOURCE_FINGERPRINT,
    paths.TRAIN_METRICS,
    paths.TEST_METRICS,
    paths.EVALUATION_REPORT,
    paths.CANDIDATE_PACKAGE,
)
# Sections that the outputs depend on; another drift threshold is not another run.
_LOGGED_SECTIONS = ("name", "seed", "data", "features", "model", "training", "evaluation", "validation")
# Too long for parameters; they are in params.yaml and in the signature.
_OMITTED_KEYS = ("columns", "profile")
_MAX_DESCRIPTION = 4900


@dataclass(frozen=True, slots=True)
class RunProjection:
    """One run, built from files.

    `fingerprint` is the SHA-256 of the logged settings and of all logged files: equal results have one
    run, on any machine.
    """

    root: Path
    name: str
    fingerprint: str
    params: dict[str, Any]
    metrics: dict[str, float]
    tags: dict[str, str]
    datasets: tuple[LoggedDataset, ...]
    description: str

    @property
    def model_tags(self) -> dict[str, str]:
        """Tags of the model: the digest of its package and of the data that it learned from."""
        return {name: self.tags[name] for name in ("mlops.package", "mlops.data")}

    def write_artifacts(self, folder: Path) -> None:
        """Write the artifacts of the run below `folder`: reports, curves, plots, settings."""
        for path in _existing_outputs(self.root):
            if path == paths.CANDIDATE_PACKAGE:
                continue  # MLflow stores the model on its own
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if (self.root / path).is_dir():
                shutil.copytree(self.root / path, target)
            else:
                shutil.copyfile(self.root / path, target)
        shutil.copyfile(self.root / paths.PARAMS, folder / paths.PARAMS.name)
        _draw_plots(folder / paths.PLOTS, folder / "figures")


def _draw_plots(tables: Path, folder: Path) -> None:
    """Draw every table of plots/ that has a plot function."""
    import pandas as pd

    folder.mkdir()
    for path in sorted(tables.glob("*.csv")):
        if path.stem in set(PLOT_FUNCTIONS):
            draw_plot(path.stem, pd.read_csv(path)).savefig(folder / f"{path.stem}.png", dpi=110)


def build_projection(root: Path) -> RunProjection:
    """Return the run of the outputs below `root`.

    Raises
    ------
    DataError
        When outputs are missing or belong to different runs.
    """
    missing = [str(path) for path in _REQUIRED_OUTPUTS if not (root / path).exists()]
    if missing:
        raise DataError(f"{', '.join(missing)}: missing, so there is no finished run to log; run `dvc repro` first")
    values = _read_settings(root)
    report = files.read_json(root / paths.EVALUATION_REPORT)
    digest = files.sha256_file(root / paths.CANDIDATE_PACKAGE / "manifest.json")
    if report.get("package", digest) != digest:
        raise DataError(
            f"{paths.EVALUATION_REPORT} evaluates package {str(report['package'])[:12]}, but"
            f" {paths.CANDIDATE_PACKAGE} is {digest[:12]}: the last run is incomplete; run `dvc repro` and try again"
        )
    source = files.read_json(root / paths.SOURCE_FINGERPRINT)
    note = (
        (root / paths.MODEL_CARD).read_text(encoding="utf-8")[:_MAX_DESCRIPTION]
        if (root / paths.MODEL_CARD).exists()
        else ""
    )
    return RunProjection(
        root=root,
        name=f"{_value_at(values, 'model', 'name')} on {_value_at(values, 'data', 'name')}",
        fingerprint=_fingerprint(root, values),
        params=logged_params(values),
        metrics=_read_metrics(root),
        tags={
            "mlops.kind": "pipeline",
            "mlops.package": digest,
            "mlops.data": files.sha256(files.canonical_json(source).encode()),
            "mlops.objective": str(_value_at(values, "training", "selection_metric")),
        },
        datasets=tuple(_logged_datasets(root, values)),
        description=note,
    )


def _read_settings(root: Path) -> dict[str, Any]:
    values = read_yaml(root / paths.PARAMS)
    if not isinstance(values, dict):
        raise DataError(f"{paths.PARAMS}: has no settings; run `dvc repro` to create it")
    return {name: values[name] for name in _LOGGED_SECTIONS if name in values}


def _value_at(values: Mapping[str, Any], *keys: str) -> Any:
    value: Any = values
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def logged_params(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the logged settings: those that results depend on, without long tables."""
    params = {name: values[name] for name in _LOGGED_SECTIONS if name in values and name != "validation"}
    if isinstance(params.get("data"), dict):
        params["data"] = {key: value for key, value in params["data"].items() if key not in _OMITTED_KEYS}
    return params


def _existing_outputs(root: Path) -> list[Path]:
    return [path for path in PROJECTED_OUTPUTS if (root / path).exists()]


def _fingerprint(root: Path, values: Mapping[str, Any]) -> str:
    """Return the hash of the settings and of all logged files, without the training data."""
    parts: dict[str, str] = {}
    for path in _existing_outputs(root):
        inside = sorted((root / path).rglob("*")) if (root / path).is_dir() else [root / path]
        parts |= {file.relative_to(root).as_posix(): files.sha256_file(file) for file in inside if file.is_file()}
    identity = {"settings": files.sha256(files.canonical_json(values).encode()), "files": parts}
    return files.sha256(files.canonical_json(identity).encode())


def _read_metrics(root: Path) -> dict[str, float]:
    metrics = dict(_finite_metrics(files.read_json(root / paths.TRAIN_METRICS), "cv."))
    metrics |= dict(_finite_metrics(files.read_json(root / paths.TEST_METRICS), "test."))
    if (root / paths.VALIDATION_REPORT).exists():
        score = files.read_json(root / paths.VALIDATION_REPORT).get("quality_score")
        metrics |= dict(_finite_metrics({"quality_score": score}, "data."))
    return metrics


def _finite_metrics(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _finite_metrics(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield f"{prefix}{key}", float(value)


def _logged_datasets(root: Path, values: Mapping[str, Any]) -> Iterator[LoggedDataset]:
    """Describe the train and the test rows by hash, columns and number, without reading them.

    The hashes come from the lineage of the package, so that a run can be rebuilt without the rows.
    """
    lineage = json.loads((root / paths.CANDIDATE_PACKAGE / "lineage.json").read_text(encoding="utf-8"))
    hashes = lineage.get("data_sha256", {})
    report = files.read_json(root / paths.EVALUATION_REPORT)
    columns = _column_types(values)
    for part, path, context in (("train", paths.TRAIN_ROWS, "training"), ("test", paths.TEST_ROWS, "evaluation")):
        digest, n_rows = hashes.get(part), _value_at(report, "rows", part)
        if isinstance(digest, str) and isinstance(n_rows, int):
            name = f"{_value_at(values, 'data', 'name')} {part}"
            yield describe_dataset(columns, name, n_rows=n_rows, context=context, source=path.as_posix(), digest=digest)


_MLFLOW_TYPES = {"Int64": "long", "Float64": "double", "boolean": "boolean", "datetime64[us]": "datetime"}


def _column_types(values: Mapping[str, Any]) -> dict[str, str]:
    declared = _value_at(values, "data", "columns") or {}
    columns = {name: _MLFLOW_TYPES.get(entry.get("dtype"), "string") for name, entry in declared.items()}
    target = _value_at(values, "data", "target", "column")
    return {**columns, str(target): "string"} if target is not None else columns
