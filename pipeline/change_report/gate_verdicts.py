"""Choose the gate report of the candidate of a snapshot, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.config.strict_yaml import read_yaml
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.change_report.snapshots import ProjectSnapshot
    from pipeline.change_report.stage_changes import StageChange

__all__ = ["NOT_EVALUATED", "locked_registration", "registration_of_folder"]

NOT_EVALUATED = "not evaluated"


def locked_registration(snapshot: ProjectSnapshot) -> Mapping[str, Any] | None:
    """Return the gate report in dvc.lock; None if it is about another package than the snapshot's."""
    report: Mapping[str, Any] | None = snapshot.read_json(paths.REGISTRATION_REPORT)
    evaluation = snapshot.read_json(paths.EVALUATION_REPORT)
    if report is None or evaluation is None or report["candidate"] != evaluation["package"]:
        return None
    return report


def registration_of_folder(
    root: Path, snapshot: ProjectSnapshot, pending: Sequence[StageChange]
) -> Mapping[str, Any] | None:
    """Return the gate report of the folder's candidate, also if its gates rejected it; None without one.

    A rejection leaves dvc.lock as it was, with the report of an earlier candidate. The file of the folder counts then,
    if it is about this candidate with these settings.
    """
    stages = {change.stage for change in pending}
    if "register" not in stages:
        return locked_registration(snapshot)
    path, evaluation = root / paths.REGISTRATION_REPORT, snapshot.read_json(paths.EVALUATION_REPORT)
    params = root / paths.PARAMS
    if stages - {"register", "compose"} or evaluation is None or not path.is_file() or not params.is_file():
        return None
    report: Mapping[str, Any] = files.read_json(path)
    is_of_candidate = report["candidate"] == evaluation["package"] and read_yaml(params) == snapshot.settings
    # A report that does not reject is of an earlier run: after a passed one DVC has nothing to run.
    return report if is_of_candidate and report["verdict"] == "reject" else None
