"""A candidate is registered in stage None with its gates, and with the decision of a person where one was needed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.retraining.candidate_evaluation import register_retrained
from pipeline.state import find_version
from tests.pipeline.monitoring.log_fixtures import MODEL_NAME
from tests.pipeline.retraining.retrain_fixtures import context_of, evaluated_retrain

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("approval", "result", "reason"),
    [({"candidate_approved_by": "ada"}, "pass", "by 0.1; approved by ada"), ({}, "hold", "by 0.1")],
)
def test_an_approved_gate_names_the_person(project: Path, approval: dict[str, str], result: str, reason: str) -> None:
    retrain = evaluated_retrain(project, result="hold", decided_by="bob")
    retrain = replace(retrain, facts={**retrain.facts, **approval})
    with context_of(project) as context:
        # The candidate of the fixture is registered: under another name it is new.
        other = context.config.model_copy(update={"name": "other"})
        version = register_retrained(type(context)(context.state, other, project, now=1, mode="act"), retrain)
        with context.state.reading() as connection:
            stored = find_version(connection, "other", version.version)
    (gate,) = stored.tags["gates"]["gates"]
    assert (stored.stage, gate["result"], gate["reason"]) == ("None", result, reason)
    assert (stored.tags["retrain"], stored.model != MODEL_NAME) == (str(retrain.seq), True)
