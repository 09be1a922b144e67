"""A report of the life cycle shows versions, quality and the recent decisions."""

from __future__ import annotations

import json

import pytest

from pipeline.lifecycle import MlopsReport
from pipeline.state import AuditEntry, ModelVersion

VERSION = ModelVersion(
    model="m",
    version=2,
    digest="0" * 64,
    semver="1.1.0",
    stage="Production",
    description="",
    tags={"gates": {"verdict": "promote"}, "model": "knn"},
    registered_at=1,
)


def entry(seq: int, reason: str = "") -> AuditEntry:
    return AuditEntry(
        seq=seq,
        recorded_at=1_767_225_600_000_000,
        actor="ada",
        action="promote",
        model="m",
        version=seq,
        generation=seq,
        before={},
        after={},
        reason=reason,
        evidence={},
        hash="",
    )


def report(n_decisions: int = 1, *, n_runs: int | None = 3, is_intact: bool = True) -> MlopsReport:
    return MlopsReport(
        model="m",
        n_runs=n_runs,
        versions=(VERSION,),
        deployed_versions={"Production": 2},
        generation=1,
        quality_scores={"train": 98.76},
        decisions=tuple(entry(seq, "better") for seq in range(1, n_decisions + 1)),
        is_audit_trail_intact=is_intact,
    )


def test_the_markdown_lists_versions_quality_and_decisions() -> None:
    lines = report().as_markdown().splitlines()
    assert "3 runs, 1 registered versions, generation 1." in lines
    assert "| 2 | 1.1.0 | Production | promote | knn |" in lines
    assert "- quality of `train`: 98.8 of 100" in lines
    assert lines[-1].endswith("ada: promote version 1 (better)")


def test_only_the_last_five_decisions_are_shown() -> None:
    decisions = [line for line in report(9).as_markdown().splitlines() if "promote version" in line]
    assert [line.split("version ")[1][0] for line in decisions] == ["5", "6", "7", "8", "9"]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (report(n_runs=None), "MLflow is unreachable"),
        (report(), "The audit trail is intact."),
        (report(is_intact=False), "The audit trail is **broken**."),
    ],
)
def test_the_state_of_mlflow_and_of_the_audit_trail_is_shown(changed: MlopsReport, text: str) -> None:
    assert text in changed.as_markdown()


def test_a_report_is_plain_json() -> None:
    assert json.loads(json.dumps(report().as_dict()))["versions"][0]["semver"] == "1.1.0"
