"""Snapshots before and after a change: settings, lock and outputs from git, DVC's cache and the folder."""

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
from pipeline.project.git_command import run_git
from pipeline.tracking.dvc_history import dvc_cache_folder, restore_output
from pipeline.tracking.revision import parse_dvc_lock

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
    paths.TRAIN_ROWS,
    paths.TEST_ROWS,
    paths.PLOTS,
)


@dataclass(frozen=True, slots=True)
class ProjectSnapshot:
    """The project before or after a change.

    `lock` has the entries of dvc.lock by stage; empty without one. `folder` has the restored outputs;
    `missing` names outputs in dvc.lock that are not in DVC's cache.
    """

    name: str
    settings: Mapping[str, Any]
    lock: Mapping[str, Any]
    folder: Path
    missing: tuple[str, ...]

    @property
    def missing_reason(self) -> str | None:
        """Why metrics are missing, and the command that restores them; None if all outputs exist."""
        if not self.lock:
            return f"{self.name} has no dvc.lock, so its metrics are unknown; run `dvc repro` there and commit dvc.lock"
        if self.missing:
            missing = ", ".join(self.missing)
            return f"{self.name}: DVC's cache lacks {missing}; run `dvc fetch --all-commits` to download them"
        return None

    def output_md5(self, path: Path) -> str | None:
        """Return the MD5 of an output; None if it is not in the lock."""
        return next((out.get("md5") for out in _locked_outputs(self.lock) if out["path"] == path.as_posix()), None)

    def read_json(self, path: Path) -> Any | None:
        """Return the value of a JSON output; None if it is missing."""
        return files.read_json(self.folder / path) if (self.folder / path).is_file() else None

    def load_package(self) -> Package | None:
        """Return the model package; None if it is missing or of an unsupported format."""
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
    """Yield the snapshots of the commit at which this branch left `base`, and of the folder now.

    Raises
    ------
    UsageError
        When git does not know `base`, or its settings are not committed.
    DataError, ConfigError
        When a dvc.lock or conf/ cannot be read.
    """
    sha = run_git(root, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
    if sha is None:
        raise UsageError(f"--base {base!r}: git has no such commit; fetch it first (`git fetch origin {base}`)")
    sha = run_git(root, "merge-base", sha, "HEAD") or sha
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = run_git(root, "show", f"{sha}:./{paths.PARAMS}")
        if text is None:
            raise UsageError(f"--base {base!r}: has no {paths.PARAMS}; commit it with each change of conf/")
        (folder / "params.yaml").write_text(f"{text}\n", encoding="utf-8")
        cache = dvc_cache_folder(root)
        old_lock = run_git(root, "show", f"{sha}:./{_DVC_LOCK}")
        new_lock = (root / _DVC_LOCK).read_text(encoding="utf-8") if (root / _DVC_LOCK).is_file() else None
        yield (
            _restore_snapshot(
                f"{base} ({sha[:8]})", read_yaml(folder / "params.yaml"), old_lock, folder / "before", cache
            ),
            _restore_snapshot("this folder", compose(conf=root / paths.CONF).values, new_lock, folder / "after", cache),
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
