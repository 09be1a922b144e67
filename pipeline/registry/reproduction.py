"""Make a registered version again from its commit alone, and say whether it is the same to the last byte."""

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
from pipeline.project.dvc_outputs import file_md5, folder_md5
from pipeline.tracking.dvc_history import dvc_cache_folder
from pipeline.tracking.revision import run_git

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.package import Package
    from pipeline.registry.lineage import Lineage
    from pipeline.state import ModelVersion

__all__ = ["ComparedItem", "ReproductionReport", "reproduce"]

# What would lead the temporary copy back to this project, or to a server that others look at.
_REMOVED_ENV_PREFIXES = ("DVC_", "MLFLOW_", "MLOPS_", "PYTHONPATH", "GIT_")


@dataclass(frozen=True, slots=True)
class ComparedItem:
    """One thing that was compared; `kept` is what the version has, `made` what its commit gives now."""

    name: str
    original: Any
    reproduced: Any

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return bool(self.original == self.reproduced)


@dataclass(frozen=True, slots=True)
class ReproductionReport:
    """What came of making a version again; `hints` name what may have led to a difference."""

    model: str
    version: int
    commit: str
    items: tuple[ComparedItem, ...]
    possible_causes: tuple[ComparedItem, ...]

    @property
    def differences(self) -> tuple[ComparedItem, ...]:
        """The checks that did not come out equal."""
        return tuple(check for check in self.items if not check.is_equal)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {**asdict(self), "is_equal": not self.differences}

    def as_text(self) -> str:
        """Return lines for a terminal."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.model} version {self.version}, made again from commit {self.commit}"
        for check in self.items:
            if check.is_equal:
                yield f"  equal    {check.name}: {_shorten(check.original)}"
            else:
                yield f"  DIFFERS  {check.name}: kept {_shorten(check.original)}, made {_shorten(check.reproduced)}"
        if self.differences:
            yield from (
                f"  perhaps  {one.name}: then {_shorten(one.original)}, now {_shorten(one.reproduced)}"
                for one in self.possible_causes
            )


def reproduce(root: Path, version: ModelVersion, original: Package, *, lineage: Lineage) -> ReproductionReport:
    """Check out the commit of a version in a temporary folder, run its graph there, and compare.

    Nothing of this project is touched and no server is told; DVC's cache is read for files that came from outside.

    Raises
    ------
    DependencyUnavailable
        When git, DVC or a stage of the graph fails there.
    UsageError
        When no commit names the package.
    """
    if lineage.commit is None:
        edits = " with edits that were not committed" if lineage.has_edits else ""
        raise UsageError(
            f"{version.model} version {version.version}: no commit has a dvc.lock that names its package (it was made at"
            f" {lineage.head_commit or 'an unknown commit'}{edits}); commit dvc.lock right after `dvc repro` to keep the way back"
        )
    with tempfile.TemporaryDirectory(prefix="mlops-reproduce-") as name:
        folder = _check_out(root, lineage.commit, Path(name) / "copy")
        _run(folder, sys.executable, "-m", "dvc", "repro", "evaluate")
        made = package.load_package(folder / paths.CANDIDATE_PACKAGE)
        test = files.read_parquet(folder / paths.TEST_ROWS)
        checks = (
            *_compare_dicts("rows", lineage.data_md5, {path: _file_md5(folder / path) for path in lineage.data_md5}),
            *_compare_dicts("sha256 of", _data_sha256(original), _data_sha256(made)),
            ComparedItem("settings", original.lineage.get("params_sha256"), made.lineage.get("params_sha256")),
            *_compare_dicts("metric", original.metrics, made.metrics),
            ComparedItem("predictions, largest difference", 0.0, _max_probability_difference(original, made, test)),
            ComparedItem("package as DVC names it", lineage.md5, folder_md5(folder / paths.CANDIDATE_PACKAGE)),
            ComparedItem("digest", original.digest, made.digest),
        )
    libraries = tuple(_compare_dicts("library", original.manifest.libraries, made.manifest.libraries))
    hints = tuple(one for one in libraries if not one.is_equal)
    return ReproductionReport(
        model=version.model, version=version.version, commit=lineage.commit, items=checks, possible_causes=hints
    )


def _check_out(root: Path, commit: str, copy: Path) -> Path:
    """Return the project's folder in a clone that stands at `commit`, with the files that came from outside."""
    _run(
        root,
        "git",
        "clone",
        "--quiet",
        "--no-checkout",
        run_git(root, "rev-parse", "--show-toplevel") or ".",
        str(copy),
    )
    _run(copy, "git", "fetch", "--quiet", "origin", "+refs/*:refs/kept/*")  # DVC's experiments are on no branch
    _run(copy, "git", "checkout", "--quiet", commit)
    folder = copy / (run_git(root, "rev-parse", "--show-prefix") or "")
    pointers = [str(path.relative_to(folder)) for path in sorted(folder.glob(f"{paths.EXTERNAL}/*.dvc"))]
    if pointers:
        dvc = (sys.executable, "-m", "dvc")
        _run(folder, *dvc, "config", "--local", "cache.dir", str(dvc_cache_folder(root).parents[1]))
        _run(folder, *dvc, "checkout", "--quiet", *pointers)
        # With a cache of its own nothing is restored: every stage runs.
        _run(folder, *dvc, "config", "--local", "--unset", "cache.dir")
    return folder


def _run(folder: Path, *command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_REMOVED_ENV_PREFIXES)}
    environment |= {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    program = shutil.which(command[0], path=environment["PATH"])
    if program is None:
        raise DependencyUnavailable(f"{command[0]} is not on the PATH; install it and try again")
    answer = subprocess.run(  # noqa: S603 - no shell, our words
        [program, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        said = " ".join((answer.stderr or answer.stdout).split())[-400:]
        raise DependencyUnavailable(f"`{' '.join(command[:4])} ...` failed in a copy of the commit: {said}")


def _file_md5(path: Path) -> str | None:
    return file_md5(path) if path.is_file() else None


def _data_sha256(one: Package) -> dict[str, str]:
    return dict(one.lineage.get("data_sha256", {}))


def _compare_dicts(what: str, kept: dict[str, Any], made: dict[str, Any]) -> Iterator[ComparedItem]:
    for name in dict.fromkeys((*kept, *made)):
        yield ComparedItem(f"{what} {name}", kept.get(name), made.get(name))


def _max_probability_difference(kept: Package, made: Package, test: Any) -> float | str:
    if kept.classes != made.classes or kept.schema.feature_names != made.schema.feature_names:
        return "other classes or columns"
    return float(np.abs(kept.predict_proba(test) - made.predict_proba(test)).max())


def _shorten(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 44 else f"{text[:41]}..."
