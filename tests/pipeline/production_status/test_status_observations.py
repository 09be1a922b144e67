"""An observation counts from the first look at a condition, and never replaces a recorded moment."""

from __future__ import annotations

from dataclasses import replace

from pipeline.production_status import ComponentStatus, StatusObservations

_UP = ComponentStatus("api", "healthy", "ready", "healthy", "It is ready")
_DOWN = replace(_UP, state="down", condition="no_response")


def test_the_first_look_at_a_condition_counts_until_the_condition_changes() -> None:
    observations = StatusObservations()
    since = [
        observations.add_component(status, at).since for status, at in ((_UP, 5), (_UP, 9), (_DOWN, 11), (_UP, 13))
    ]
    assert since == [5, 5, 11, 13]


def test_a_recorded_moment_is_left_as_it_is() -> None:
    recorded = StatusObservations().add_component(_UP.known_since(3), 9)
    assert (recorded.since, recorded.since_source) == (3, "recorded")
    assert StatusObservations().add_component(_UP, 9).since_source == "observed"
