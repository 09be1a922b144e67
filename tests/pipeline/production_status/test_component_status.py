"""A status is as bad as its worst component, and unknown is worse than healthy."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from pipeline.production_status import ComponentStatus, ProductionStatus


def _status(*states: Any) -> ProductionStatus:
    names: Any = ("database", "version", "api", "monitor")
    components = [
        ComponentStatus(name, state, "x", "x", "It is so") for name, state in zip(names, states, strict=False)
    ]
    return ProductionStatus("m", 1, tuple(components))


@pytest.mark.parametrize("states", list(permutations(["healthy", "unknown", "degraded", "down"])))
def test_the_worst_component_decides_in_any_order(states: tuple[str, ...]) -> None:
    assert _status(*states).state == "down"
    assert _status(*(state for state in states if state != "down")).state == "degraded"
    assert _status(*(state for state in states if state in ("healthy", "unknown"))).state == "unknown"


def test_plain_values_name_state_and_components() -> None:
    values = _status("healthy", "unknown").as_dict()
    assert (values["state"], values["sentence"]) == ("unknown", "Production is not fully known.")
    assert values["components"]["version"]["sentence"] == "It is so"


def _part(name: Any, state: Any, clause: str, since: int | None = None, source: Any = "recorded") -> ComponentStatus:
    return ComponentStatus(name, state, "x", "x", "It is so", clause=clause).known_since(since, source)


_NOW = 1_764_352_800_000_000  # 2025-11-28T18:00:00Z
_DAY_US = 86_400_000_000
_UP, _ON_TIME = _part("api", "healthy", "API up"), _part("monitor", "healthy", "monitor 2 minutes ago")


@pytest.mark.parametrize(
    ("components", "sentence"),
    [
        (
            (_UP, _ON_TIME, _part("incidents", "degraded", "log loss up 85%", _NOW - _DAY_US)),
            "Production is degraded since 27 Nov 18:00 UTC: log loss up 85%. API up, monitor 2 minutes ago.",
        ),
        ((_UP, _ON_TIME), "Production is healthy. API up, monitor 2 minutes ago."),
        (
            (
                _part("api", "down", "API down", _NOW - _DAY_US, "last_seen"),
                _ON_TIME,
                _part("incidents", "degraded", "log loss up 85%", _NOW),
            ),
            "Production is down: API down, last seen 27 Nov 18:00 UTC. Log loss up 85%. Monitor 2 minutes ago.",
        ),
        (
            (_part("database", "down", "state database damaged"), _part("log", "down", ""), _UP),
            "Production is down: state database damaged. API up.",
        ),
        (
            (_UP, _part("monitor", "unknown", "monitor never ran", _NOW - _DAY_US, "observed")),
            "Production is not fully known: monitor never ran. API up.",
        ),
    ],
)
def test_the_sentence_has_state_since_causes_and_what_works(
    components: tuple[ComponentStatus, ...], sentence: str
) -> None:
    assert ProductionStatus("m", _NOW, components).sentence == sentence


def test_a_record_and_an_observation_have_other_words() -> None:
    observed = _part("api", "healthy", "", _NOW, "observed")
    assert observed.since_text(_NOW) == "since at least 28 Nov 18:00 UTC"
    assert _part("api", "healthy", "", _NOW).since_text(_NOW) == "since 28 Nov 18:00 UTC"
    assert _part("api", "healthy", "").since_text(_NOW) == ""
