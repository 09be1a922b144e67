"""Artifacts of an experiment whose root is in an object store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.storage import StoragePath

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.tracking import ExperimentTracker


def test_artifacts_of_a_run_are_in_the_bucket(tracker: ExperimentTracker, s3_bucket: str, tmp_path: Path) -> None:
    tracker.store.client().create_experiment("trials", artifact_location=f"{s3_bucket}/artifacts")
    report = tmp_path / "report ä.html"
    report.write_text("<p>rows</p>", encoding="utf-8")
    with tracker.start_run("run") as active:
        tracker.log_artifact(report, "reports")
        tracker.log_text("note", "note.txt")
    folder = StoragePath.parse(f"{s3_bucket}/artifacts/{active.run_id}/artifacts")
    assert (folder / "reports/report ä.html").read_bytes() == report.read_bytes()
    assert tracker.read_text(tracker.get_runs([active.run_id])[0], "note.txt") == "note"
    assert not (tmp_path / "mlruns").exists()
