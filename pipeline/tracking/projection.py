"""Read what a finished graph left on disk, and say what one run of MLflow shows of it."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import files, paths
from pipeline.config.reader import read_yaml
from pipeline.errors import DataError
from pipeline.figures import FIGURES, draw
from pipeline.tracking.flavors import save_package
from pipeline.tracking.frames import describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.tracking.operations import Input

__all__ = ["PROJECTED", "Projection", "project", "shown_params"]

PROJECTED = (
    paths.SOURCE,
    paths.VALIDATION,
    paths.VALIDATION_PAGE,
    paths.SPLIT,
    paths.EVALUATION,
    paths.CARD,
    paths.TRAIN_METRICS,
    paths.TEST_METRICS,
    paths.PLOTS,
    paths.CANDIDATE,
)
# Without these there is no run to speak of; the others are shown where they are.
_NEEDED = (paths.PARAMS, paths.SOURCE, paths.TRAIN_METRICS, paths.TEST_METRICS, paths.EVALUATION, paths.CANDIDATE)
# What the outputs depend on: another drift limit is not another run.
_SECTIONS = ("name", "seed", "data", "features", "model", "training", "evaluation", "validation")
# Too long for a table of parameters; they are in params.yaml and in the signature.
_NOT_SHOWN = ("columns", "profile")
_MAX_NOTE = 4900


@dataclass(frozen=True, slots=True)
class Projection:
    """One run as the files say it.

    `fingerprint` is the SHA-256 of the settings that count and of every file that is shown: equal
    results have one run, wherever and however often they were made.
    """

    root: Path
    name: str
    fingerprint: str
    params: dict[str, Any]
    metrics: dict[str, float]
    tags: dict[str, str]
    inputs: tuple[Input, ...]
    note: str

    def write_artifacts(self, folder: Path) -> None:
        """Lay out below `folder` what the run keeps: the package as a model, reports, curves, figures, settings."""
        for path in _existing(self.root):
            target = folder / path
            if path == paths.CANDIDATE:
                save_package(self.root / path, folder / "model")
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if (self.root / path).is_dir():
                shutil.copytree(self.root / path, target)
            else:
                shutil.copyfile(self.root / path, target)
        shutil.copyfile(self.root / paths.PARAMS, folder / paths.PARAMS.name)
        _draw(folder / paths.PLOTS, folder / "figures")


def _draw(tables: Path, folder: Path) -> None:
    """Draw every table of plots/ that has a figure."""
    import pandas as pd

    folder.mkdir()
    for path in sorted(tables.glob("*.csv")):
        if path.stem in set(FIGURES):
            draw(path.stem, pd.read_csv(path)).savefig(folder / f"{path.stem}.png", dpi=110)


def project(root: Path) -> Projection:
    """Return the run that the outputs below `root` are.

    Raises
    ------
    DataError
        When outputs are missing, or some are of another run than others.
    """
    absent = [str(path) for path in _NEEDED if not (root / path).exists()]
    if absent:
        raise DataError(f"{', '.join(absent)}: not there, so there is no finished run to record; run `dvc repro` first")
    values = _settings(root)
    report = files.read_json(root / paths.EVALUATION)
    digest = files.sha256_file(root / paths.CANDIDATE / "manifest.json")
    if report.get("package", digest) != digest:
        raise DataError(
            f"{paths.EVALUATION} judges package {str(report['package'])[:12]} and {paths.CANDIDATE} is {digest[:12]}:"
            " the last run was not finished; run `dvc repro`, then try again"
        )
    source = files.read_json(root / paths.SOURCE)
    note = (root / paths.CARD).read_text(encoding="utf-8")[:_MAX_NOTE] if (root / paths.CARD).exists() else ""
    return Projection(
        root=root,
        name=f"{_at(values, 'model', 'name')} on {_at(values, 'data', 'name')}",
        fingerprint=_fingerprint(root, values),
        params=shown_params(values),
        metrics=_metrics(root),
        tags={
            "mlops.kind": "pipeline",
            "mlops.package": digest,
            "mlops.data": files.sha256(files.canonical_json(source).encode()),
            "mlops.objective": str(_at(values, "training", "objective")),
        },
        inputs=tuple(_inputs(root, values)),
        note=note,
    )


def _settings(root: Path) -> dict[str, Any]:
    values = read_yaml(root / paths.PARAMS)
    if not isinstance(values, dict):
        raise DataError(f"{paths.PARAMS}: holds no settings; run `dvc repro` to make it")
    return {name: values[name] for name in _SECTIONS if name in values}


def _at(values: Mapping[str, Any], *keys: str) -> Any:
    found: Any = values
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def shown_params(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are shown as parameters: those that results depend on, but for long tables."""
    shown = {name: values[name] for name in _SECTIONS if name in values and name != "validation"}
    if isinstance(shown.get("data"), dict):
        shown["data"] = {key: value for key, value in shown["data"].items() if key not in _NOT_SHOWN}
    return shown


def _existing(root: Path) -> list[Path]:
    return [path for path in PROJECTED if (root / path).exists()]


def _fingerprint(root: Path, values: Mapping[str, Any]) -> str:
    """Return the hash of the settings and of every projected file but the training data itself."""
    parts: dict[str, str] = {}
    for path in _existing(root):
        inside = sorted((root / path).rglob("*")) if (root / path).is_dir() else [root / path]
        parts |= {file.relative_to(root).as_posix(): files.sha256_file(file) for file in inside if file.is_file()}
    known = {"settings": files.sha256(files.canonical_json(values).encode()), "files": parts}
    return files.sha256(files.canonical_json(known).encode())


def _metrics(root: Path) -> dict[str, float]:
    found = dict(_numbers(files.read_json(root / paths.TRAIN_METRICS), "cv."))
    found |= dict(_numbers(files.read_json(root / paths.TEST_METRICS), "test."))
    if (root / paths.VALIDATION).exists():
        score = files.read_json(root / paths.VALIDATION).get("quality_score")
        found |= dict(_numbers({"quality_score": score}, "data."))
    return found


def _numbers(values: Mapping[str, Any], above: str) -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{above}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield f"{above}{key}", float(value)


def _inputs(root: Path, values: Mapping[str, Any]) -> Iterator[Input]:
    """Describe the train and the test rows by their hash, columns and number, without reading them.

    The hashes stand in the package's lineage, so that a run can be rebuilt where the rows are gone.
    """
    lineage = json.loads((root / paths.CANDIDATE / "lineage.json").read_text(encoding="utf-8"))
    hashes = lineage.get("data_sha256", {})
    report = files.read_json(root / paths.EVALUATION)
    columns = _columns(values)
    for part, path, context in (("train", paths.TRAIN, "training"), ("test", paths.TEST, "evaluation")):
        digest, n_rows = hashes.get(part), _at(report, "rows", part)
        if isinstance(digest, str) and isinstance(n_rows, int):
            name = f"{_at(values, 'data', 'name')} {part}"
            yield describe(columns, name, n_rows=n_rows, context=context, source=path.as_posix(), digest=digest)


_TYPES = {"Int64": "long", "Float64": "double", "boolean": "boolean", "datetime64[us]": "datetime"}


def _columns(values: Mapping[str, Any]) -> dict[str, str]:
    declared = _at(values, "data", "columns") or {}
    columns = {name: _TYPES.get(entry.get("dtype"), "string") for name, entry in declared.items()}
    target = _at(values, "data", "target", "column")
    return {**columns, str(target): "string"} if target is not None else columns
