"""Follow a registered version back to the commit, the dvc.lock and the rows that it was made from."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import paths
from pipeline.outputs import folder_md5
from pipeline.tracking.history import commits
from pipeline.tracking.revision import git, parse_lock

if TYPE_CHECKING:
    from pipeline.package import Package
    from pipeline.state import Version

__all__ = ["Lineage", "lineage_of", "settings_at"]

_ROWS = (paths.RAW, paths.TRAIN, paths.TEST)


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a version comes from.

    Attributes
    ----------
    digest, md5 : str
        The package by its manifest, and as DVC names its folder.
    commit : str or None
        The first commit whose dvc.lock names exactly this package; None where none does.
    made_at : str or None
        The commit that was checked out when it was made; `has_edits` says whether files differed from it.
    rows : dict of str
        Path -> MD5 of the rows in that dvc.lock.
    made_from : dict
        What the package itself says: hashes of parts and settings, seed, fingerprint of the source.
    run_id : str or None
        Run in MLflow, where the version was registered from one.
    """

    digest: str
    md5: str
    commit: str | None
    made_at: str | None
    has_edits: bool | None
    rows: dict[str, str]
    made_from: dict[str, Any]
    run_id: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def as_text(self) -> str:
        """Return lines for a terminal."""
        edits = " with edits that were not committed" if self.has_edits else ""
        committed = self.commit or "no commit names this package; commit dvc.lock to keep the way back"
        lines = [
            f"package     {self.digest}",
            f"dvc.lock    {paths.CANDIDATE} {self.md5}",
            f"commit      {committed}",
            f"made at     {self.made_at or 'unknown'}{edits}",
            *(f"rows        {path} {md5}" for path, md5 in self.rows.items()),
            *(f"{name:<11} {value}" for name, value in self.made_from.items() if not isinstance(value, dict)),
        ]
        parts = self.made_from.get("data_sha256", {})
        lines += [f"sha256      {part} {value}" for part, value in parts.items()]
        return "\n".join(lines)


def lineage_of(root: Path, version: Version, package: Package, folder: Path) -> Lineage:
    """Return the lineage of a version whose package lies in `folder`, as git at `root` knows it."""
    md5 = folder_md5(folder)
    commit = _commit_of(root, md5)
    rows: dict[str, str] = {}
    if commit is not None:
        outs = _outputs(root, commit)
        rows = {str(path): outs[str(path)] for path in _ROWS if str(path) in outs}
    edits = version.tags.get("git.dirty")
    return Lineage(
        version.digest,
        md5,
        commit,
        version.tags.get("git.commit"),
        None if edits is None else edits == "true",
        rows,
        package.lineage,
        version.tags.get("run_id"),
    )


def settings_at(root: Path, commit: str) -> dict[str, Any]:
    """Return the composed settings of a commit with their key paths."""
    from pipeline.config.reader import read_yaml

    text = git(root, "show", f"{commit}:./{paths.PARAMS}")
    if text is None:
        return {}
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / paths.PARAMS
        file.write_text(text, encoding="utf-8")
        return dict(_flat(read_yaml(file), ""))


def _flat(value: Any, above: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        return [(above, value)]
    return [pair for name, one in value.items() for pair in _flat(one, f"{above}.{name}" if above else str(name))]


def _commit_of(root: Path, md5: str) -> str | None:
    if git(root, "rev-parse", "--git-dir") is None:
        return None
    named = (one.sha for one in commits(root) if _outputs(root, one.sha).get(str(paths.CANDIDATE)) == md5)
    return next(named, None)


def _outputs(root: Path, commit: str) -> dict[str, str]:
    stages = parse_lock(git(root, "show", f"{commit}:./dvc.lock") or "")
    return {out["path"]: str(out.get("md5")) for stage in stages.values() for out in stage.get("outs", ())}
