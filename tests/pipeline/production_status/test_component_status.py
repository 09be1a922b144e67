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
    assert (values["state"], values["headline"]) == ("unknown", "Production is not fully known: Production version")
    assert values["components"]["version"]["sentence"] == "It is so"
