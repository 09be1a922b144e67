"""Trace a registered version to its commit, its dvc.lock and its data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.project import paths
from pipeline.project.dvc_outputs import folder_md5
from pipeline.project.git_command import run_git
from pipeline.tracking.dvc_history import lock_commits
from pipeline.tracking.revision import parse_dvc_lock

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.package import Package
    from pipeline.state import ModelVersion

__all__ = ["Lineage", "trace_lineage"]

_DATA_PATHS = (paths.RAW_ROWS, paths.TRAIN_ROWS, paths.TEST_ROWS)


@dataclass(frozen=True, slots=True)
class Lineage:
    """The origin of a version.

    Attributes
    ----------
    digest, md5 : str
        Hash of the package's manifest, and the hash by which DVC names its folder.
    commit : str or None
        The first commit whose dvc.lock names exactly this package; None where none does.
    head_commit : str or None
        The commit that was checked out at training; `has_edits` is true where files differed from it.
    data_md5 : dict of str
        Path -> MD5 of the data in that dvc.lock.
    training_inputs : dict
        From the package: hashes of data and settings, seed, fingerprint of the source.
    run_id : str or None
        Run in MLflow; None where the version was registered from a folder.
    """

    digest: str
    md5: str
    commit: str | None
    head_commit: str | None
    has_edits: bool | None
    data_md5: dict[str, str]
    training_inputs: dict[str, Any]
    run_id: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def as_text(self) -> str:
        """Return lines for a terminal."""
        edits = " with uncommitted edits" if self.has_edits else ""
        committed = self.commit or "none; commit dvc.lock to make this package reproducible"
        lines = [
            f"package       {self.digest}",
            f"dvc.lock      {paths.CANDIDATE_PACKAGE} {self.md5}",
            f"commit        {committed}",
            f"trained at    {self.head_commit or 'unknown'}{edits}",
            *(f"data          {path} {md5}" for path, md5 in self.data_md5.items()),
            *(f"{name:<13} {value}" for name, value in self.training_inputs.items() if not isinstance(value, dict)),
        ]
        parts = self.training_inputs.get("data_sha256", {})
        lines += [f"sha256        {part} {value}" for part, value in parts.items()]
        return "\n".join(lines)


def trace_lineage(root: Path, version: ModelVersion, package: Package, *, folder: Path) -> Lineage:
    """Return the lineage of a version whose package is in `folder`, from the git history at `root`."""
    md5 = folder_md5(folder)
    commit = _find_commit(root, md5)
    data_md5: dict[str, str] = {}
    if commit is not None:
        md5s = _output_md5s(root, commit)
        data_md5 = {str(path): md5s[str(path)] for path in _DATA_PATHS if str(path) in md5s}
    edits = version.tags.get("git.dirty")
    return Lineage(
        digest=version.digest,
        md5=md5,
        commit=commit,
        head_commit=version.tags.get("git.commit"),
        has_edits=None if edits is None else edits == "true",
        data_md5=data_md5,
        training_inputs=package.lineage,
        run_id=version.tags.get("run_id"),
    )


def _find_commit(root: Path, md5: str) -> str | None:
    if run_git(root, "rev-parse", "--git-dir") is None:
        return None
    shas = (
        commit.sha
        for commit in lock_commits(root)
        if _output_md5s(root, commit.sha).get(str(paths.CANDIDATE_PACKAGE)) == md5
    )
    return next(shas, None)


def _output_md5s(root: Path, commit: str) -> dict[str, str]:
    stages = parse_dvc_lock(run_git(root, "show", f"{commit}:./dvc.lock") or "")
    return {out["path"]: str(out.get("md5")) for stage in stages.values() for out in stage.get("outs", ())}
