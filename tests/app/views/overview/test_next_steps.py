"""Steps about production come first, and trying things is proposed only if nothing is urgent."""

from __future__ import annotations

from typing import Any

import pytest

from app.views.overview.next_steps import next_steps
from pipeline.production_status import ApiFacts, DatabaseFacts, GateOverride, assess_production
from tests.pipeline.production_status.status_scenarios import facts, incident, known, version


def _steps(versions: Any = None, api: Any = None, **changes: Any) -> list[tuple[str, str | None, bool]]:
    database = DatabaseFacts("ok", "x", known(**changes))
    status = assess_production(facts(database=database, **({} if api is None else {"api": api})))
    found = next_steps(status, known(**changes), versions or [version(2)], warnings=[])
    return [(step.text, step.page, step.is_urgent) for step in found]


def test_a_healthy_production_proposes_to_try_things() -> None:
    assert [page for _, page, _ in _steps()] == ["predict", None]
    assert not any(is_urgent for *_, is_urgent in _steps())


def test_an_open_incident_is_first_and_nothing_is_tried() -> None:
    steps = _steps(incidents=(incident(),))
    assert steps == [("Look at incident 7, critical: 2 of 9 features drifted", "incidents", True)]


def test_more_than_three_incidents_are_counted() -> None:
    assert _steps(incidents=(incident(),) * 5)[3] == ("Look at 2 more incidents", "incidents", True)


def test_an_api_that_is_down_names_its_command() -> None:
    steps = _steps(api=ApiFacts("no_response", "http://a:1", detail="refused"))
    assert steps == [("API: run `mlops serve`", None, True)]


@pytest.mark.parametrize(
    ("newest", "page", "text"),
    [
        (version(3, stage="Staging"), "compare", "Compare version 3"),
        (version(3, verdict="reject", stage="None"), "models", "See why version 3 failed its gates"),
    ],
)
def test_a_newer_version_is_reviewed(newest: Any, page: str, text: str) -> None:
    first = _steps([version(2), newest])[0]
    assert (first[1], first[0].startswith(text)) == (page, True)


def test_a_missing_production_version_and_an_override_are_urgent() -> None:
    assert ("Promote a version: none is in Production", "models", True) in _steps(production=None)
    assert any(
        text.startswith("Review the gates of version 2")
        for text, *_ in _steps(override=GateOverride(2, "Production", 1))
    )
