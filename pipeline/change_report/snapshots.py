"""Lay both sides of a change side by side: settings, lock and outputs, the earlier ones from git and DVC's cache."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files, package
from pipeline.config.composition import compose
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import DataError, IntegrityError, UsageError
from pipeline.project import paths
from pipeline.tracking.dvc_history import dvc_cache_folder, restore_output
from pipeline.tracking.revision import parse_dvc_lock, run_git

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.package import Package

__all__ = ["ProjectSnapshot", "snapshots_before_and_after"]

_DVC_LOCK = "dvc.lock"
_COMPARED_OUTPUTS = (
    paths.EVALUATION_REPORT,
    paths.VALIDATION_REPORT,
    paths.REGISTRATION_REPORT,
    paths.CANDIDATE_PACKAGE,
    paths.TEST_ROWS,
    paths.PLOTS,
)


@dataclass(frozen=True, slots=True)
class ProjectSnapshot:
    """One side of a change.

    `lock` is what dvc.lock says by stage, empty where there is none. `folder` holds the outputs that could be had;
    `missing` are those that dvc.lock names and DVC's cache does not hold.
    """

    name: str
    settings: Mapping[str, Any]
    lock: Mapping[str, Any]
    folder: Path
    missing: tuple[str, ...]

    @property
    def missing_reason(self) -> str | None:
        """Why there are no figures, and what to do; None where everything is there."""
        if not self.lock:
            return (
                f"{self.name} has no dvc.lock, so nobody knows which figures belong to it; run `dvc repro` there and commit"
                " dvc.lock"
            )
        if self.missing:
            return (
                f"{self.name}: DVC's cache does not hold {', '.join(self.missing)}; `dvc fetch --all-commits` brings them from"
                " the remote"
            )
        return None

    def output_md5(self, path: Path) -> str | None:
        """Return the hash of an output; None where the lock does not name it."""
        return next((out.get("md5") for out in _locked_outputs(self.lock) if out["path"] == path.as_posix()), None)

    def read_json(self, path: Path) -> Any | None:
        """Return what a JSON output says; None where it is not there."""
        return files.read_json(self.folder / path) if (self.folder / path).is_file() else None

    def load_package(self) -> Package | None:
        """Return the model package; None where it is not there or of a form that is not read any more."""
        try:
            return (
                package.load_package(self.folder / paths.CANDIDATE_PACKAGE)
                if (self.folder / paths.CANDIDATE_PACKAGE).is_dir()
                else None
            )
        except IntegrityError:
            return None


@contextmanager
def snapshots_before_and_after(root: Path, base: str) -> Iterator[tuple[ProjectSnapshot, ProjectSnapshot]]:
    """Yield what stood where this branch left `base`, and what stands in the folder now.

    Raises
    ------
    UsageError
        When git does not know `base`, or its settings are not committed.
    DataError, ConfigError
        When a dvc.lock or conf/ cannot be read.
    """
    sha = run_git(root, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    if sha is None:
        raise UsageError(f"--base {base!r}: git knows no such commit here; fetch it first (`git fetch origin {base}`)")
    sha = run_git(root, "merge-base", sha, "HEAD") or sha
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = run_git(root, "show", f"{sha}:./{paths.PARAMS}")
        if text is None:
            raise UsageError(f"--base {base!r}: has no {paths.PARAMS}; it is committed with every change of conf/")
        (folder / "params.yaml").write_text(f"{text}\n", encoding="utf-8")
        cache = dvc_cache_folder(root)
        earlier = run_git(root, "show", f"{sha}:./{_DVC_LOCK}")
        now = (root / _DVC_LOCK).read_text(encoding="utf-8") if (root / _DVC_LOCK).is_file() else None
        yield (
            _restore_snapshot(
                f"{base} ({sha[:8]})", read_yaml(folder / "params.yaml"), earlier, folder / "before", cache
            ),
            _restore_snapshot("this folder", compose(conf=root / paths.CONF).values, now, folder / "after", cache),
        )


def _restore_snapshot(
    name: str, settings: Mapping[str, Any], lock: str | None, folder: Path, cache: Path
) -> ProjectSnapshot:
    stages = parse_dvc_lock(lock) if lock else {}
    missing = []
    for out in _locked_outputs(stages):
        if Path(out["path"]) in _COMPARED_OUTPUTS and out.get("md5") is not None:
            try:
                restore_output(cache, out["md5"], folder / out["path"])
            except DataError:
                missing.append(out["path"])
    return ProjectSnapshot(name, settings, stages, folder, tuple(missing))


def _locked_outputs(lock: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [out for stage in lock.values() for out in stage.get("outs", ())]
