"""Train a registered version again from its commit, and compare the result byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import files, package
from pipeline.errors import DependencyUnavailable, UsageError
from pipeline.project import paths
from pipeline.project.dvc_messages import explain_dvc_error
from pipeline.project.dvc_outputs import file_md5, folder_md5
from pipeline.project.git_command import run_git
from pipeline.text import shorten
from pipeline.tracking.dvc_history import dvc_cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.package import Package
    from pipeline.registry.lineage import Lineage
    from pipeline.state import ModelVersion

__all__ = ["ComparedItem", "ReproductionReport", "reproduce_version"]

# These would lead the temporary copy back to this project or to a shared server.
_REMOVED_ENV_PREFIXES = ("DVC_", "MLFLOW_", "MLOPS_", "PYTHONPATH", "GIT_")


@dataclass(frozen=True, slots=True)
class ComparedItem:
    """One compared value: `original` of the version, `reproduced` from its commit."""

    name: str
    original: Any
    reproduced: Any

    @property
    def is_equal(self) -> bool:
        """Whether both values are equal."""
        return bool(self.original == self.reproduced)


@dataclass(frozen=True, slots=True)
class ReproductionReport:
    """The result of a reproduction; `possible_causes` are libraries whose versions differ."""

    model: str
    version: int
    commit: str
    items: tuple[ComparedItem, ...]
    possible_causes: tuple[ComparedItem, ...]

    @property
    def differences(self) -> tuple[ComparedItem, ...]:
        """The items that are not equal."""
        return tuple(item for item in self.items if not item.is_equal)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "is_equal": not self.differences}

    def as_text(self) -> str:
        """Return lines for a terminal."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.model} version {self.version}, reproduced from commit {self.commit}"
        for item in self.items:
            if item.is_equal:
                yield f"  equal    {item.name}: {_format_value(item.original)}"
            else:
                yield f"  DIFFERS  {item.name}: {_change(item)}"
        if self.differences:
            yield from (f"  cause?   {cause.name}: {_change(cause)}" for cause in self.possible_causes)


def reproduce_version(root: Path, version: ModelVersion, original: Package, *, lineage: Lineage) -> ReproductionReport:
    """Check out the commit of a version in a temporary folder, run its graph there, and compare.

    This project and MLflow stay unchanged. Imported files come from DVC's cache.

    Raises
    ------
    DependencyUnavailable
        When git, DVC or a stage of the graph fails there.
    UsageError
        When no commit names the package.
    """
    if lineage.commit is None:
        edits = " with uncommitted edits" if lineage.has_edits else ""
        raise UsageError(
            f"{version.model} version {version.version}: no commit has a dvc.lock that names its package (it was"
            f" trained at {lineage.head_commit or 'an unknown commit'}{edits}); commit dvc.lock right after `dvc repro`"
        )
    with tempfile.TemporaryDirectory(prefix="mlops-reproduce-") as name:
        folder = _check_out(root, lineage.commit, Path(name) / "copy")
        _run(folder, sys.executable, "-m", "dvc", "repro", "evaluate")
        reproduced = package.load_package(folder / paths.CANDIDATE_PACKAGE)
        test = files.read_parquet(folder / paths.TEST_ROWS)
        items = (
            *_compare_dicts("data", lineage.data_md5, {path: _file_md5(folder / path) for path in lineage.data_md5}),
            *_compare_dicts("sha256 of", _data_sha256(original), _data_sha256(reproduced)),
            ComparedItem("settings", original.lineage.get("params_sha256"), reproduced.lineage.get("params_sha256")),
            *_compare_dicts("metric", original.metrics, reproduced.metrics),
            ComparedItem(
                "largest difference of probabilities", 0.0, _max_probability_difference(original, reproduced, test)
            ),
            ComparedItem("DVC hash of the package", lineage.md5, folder_md5(folder / paths.CANDIDATE_PACKAGE)),
            ComparedItem("digest", original.digest, reproduced.digest),
        )
    libraries = tuple(_compare_dicts("library", original.manifest.libraries, reproduced.manifest.libraries))
    causes = tuple(library for library in libraries if not library.is_equal)
    return ReproductionReport(
        model=version.model, version=version.version, commit=lineage.commit, items=items, possible_causes=causes
    )


def _check_out(root: Path, commit: str, copy: Path) -> Path:
    """Clone the project at `commit` into `copy`, restore imported files, and return the project's folder there."""
    _run(
        root,
        "git",
        "clone",
        "--quiet",
        "--no-checkout",
        run_git(root, "rev-parse", "--show-toplevel") or ".",
        str(copy),
    )
    _run(copy, "git", "fetch", "--quiet", "origin", "+refs/*:refs/all/*")  # DVC's experiments are on no branch
    _run(copy, "git", "checkout", "--quiet", commit)
    folder = copy / (run_git(root, "rev-parse", "--show-prefix") or "")
    pointers = [str(path.relative_to(folder)) for path in sorted(folder.glob(f"{paths.EXTERNAL}/*.dvc"))]
    if pointers:
        dvc = (sys.executable, "-m", "dvc")
        _run(folder, *dvc, "config", "--local", "cache.dir", str(dvc_cache_folder(root).parents[1]))
        _run(folder, *dvc, "checkout", "--quiet", *pointers)
        # An empty cache restores no output, so every stage runs.
        _run(folder, *dvc, "config", "--local", "--unset", "cache.dir")
    return folder


def _run(folder: Path, *command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_REMOVED_ENV_PREFIXES)}
    environment |= {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        raise DependencyUnavailable(f"{command[0]}: not found on the PATH; install it and try again")
    completed = subprocess.run(  # noqa: S603 - no shell, fixed arguments
        [program, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if completed.returncode != 0:
        printed = completed.stderr or completed.stdout
        output = explain_dvc_error(printed) if "dvc" in command else " ".join(printed.split())[-400:]
        raise DependencyUnavailable(f"`{' '.join(command[:4])} ...` failed in a copy of the commit: {output}")


def _file_md5(path: Path) -> str | None:
    return file_md5(path) if path.is_file() else None


def _data_sha256(package_: Package) -> dict[str, str]:
    return dict(package_.lineage.get("data_sha256", {}))


def _compare_dicts(prefix: str, original: dict[str, Any], reproduced: dict[str, Any]) -> Iterator[ComparedItem]:
    for name in dict.fromkeys((*original, *reproduced)):
        yield ComparedItem(f"{prefix} {name}", original.get(name), reproduced.get(name))


def _max_probability_difference(original: Package, reproduced: Package, test: Any) -> float | str:
    if original.classes != reproduced.classes or original.schema.feature_names != reproduced.schema.feature_names:
        return "other classes or features"
    return float(np.abs(original.predict_proba(test) - reproduced.predict_proba(test)).max())


def _change(item: ComparedItem) -> str:
    return f"original {_format_value(item.original)}, now {_format_value(item.reproduced)}"


def _format_value(value: Any) -> str:
    return shorten(f"{value:.6g}" if isinstance(value, float) else value, 44)
