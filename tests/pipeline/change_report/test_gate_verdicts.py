"""The change report reads the verdict of the candidate in the folder, or reports that it is not evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline import files
from pipeline.change_report.gate_verdicts import locked_registration, registration_of_folder
from pipeline.change_report.snapshots import ProjectSnapshot
from pipeline.change_report.stage_changes import StageChange
from pipeline.project import paths

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = {"promotion": {"max_size_mb": 200}}
REJECTED = {"candidate": "new", "verdict": "reject", "gates": []}


def report(candidate: str, verdict: str) -> dict[str, Any]:
    return {"candidate": candidate, "verdict": verdict, "gates": []}


def chosen_verdict(
    tmp_path: Path, pending: tuple[str, ...], *, locked: Any, written: Any, params: Any = SETTINGS
) -> str | None:
    """Return the verdict for the candidate `new`, with a report in dvc.lock and one in the folder."""
    folder, root = tmp_path / "after", tmp_path / "root"
    for path, value in (
        (folder / paths.EVALUATION_REPORT, {"package": "new"}),
        (folder / paths.REGISTRATION_REPORT, locked),
        (root / paths.REGISTRATION_REPORT, written),
        (root / paths.PARAMS, params),
    ):
        if value is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(path, value)
    snapshot = ProjectSnapshot("this folder", SETTINGS, {"register": {}}, folder, ())
    chosen = registration_of_folder(root, snapshot, [StageChange(stage, "changed") for stage in pending])
    return None if chosen is None else str(chosen["verdict"])


@pytest.mark.parametrize(
    ("pending", "locked", "written", "verdict"),
    [
        ((), report("new", "promote"), report("new", "promote"), "promote"),
        ((), report("new", "hold"), None, "hold"),
        (("register",), report("old", "promote"), REJECTED, "reject"),
        (("register",), None, REJECTED, "reject"),
        (("register",), report("new", "promote"), REJECTED, "reject"),
        (("register",), report("old", "promote"), report("old", "promote"), None),
        (("register",), report("new", "promote"), report("new", "promote"), None),
        (("register",), report("old", "promote"), None, None),
        (("train", "evaluate", "register"), report("old", "promote"), REJECTED, None),
        (("evaluate", "register"), report("new", "promote"), REJECTED, None),
        ((), report("old", "promote"), None, None),
    ],
    ids=str,
)
def test_a_verdict_counts_for_its_own_candidate(
    pending: tuple[str, ...], locked: Any, written: Any, verdict: str | None, tmp_path: Path
) -> None:
    assert chosen_verdict(tmp_path, pending, locked=locked, written=written) == verdict


def test_a_rejection_under_other_settings_is_no_verdict(tmp_path: Path) -> None:
    other = {"promotion": {"max_size_mb": 1}}
    assert chosen_verdict(tmp_path, ("compose", "register"), locked=None, written=REJECTED, params=other) is None


def test_the_report_of_another_package_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / paths.EVALUATION_REPORT).parent.mkdir(parents=True)
    files.write_json(tmp_path / paths.EVALUATION_REPORT, {"package": "new"})
    files.write_json(tmp_path / paths.REGISTRATION_REPORT, report("old", "promote"))
    assert locked_registration(ProjectSnapshot("main", SETTINGS, {}, tmp_path, ())) is None
