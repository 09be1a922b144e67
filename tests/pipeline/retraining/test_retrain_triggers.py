"""A retrain starts for a declared cause alone, and every reason against it names what it waits for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.config.groups.lifecycle_config import LifecycleConfig
from pipeline.files import parse_yaml
from pipeline.retraining.retrain_triggers import RetrainInputs, cooldown_us, evaluate_triggers
from pipeline.state import Retrain
from tests.fixtures.workspace import ROOT

if TYPE_CHECKING:
    from pipeline.state import RetrainState

HOUR_US = 3_600_000_000
NOW = 1_000 * 24 * HOUR_US
DEGRADED = RetrainInputs(now=NOW, champion_at=0, degraded=["log_loss"], drifted=["age"], n_new_labels=500, retrains=())


def settings(**triggers: Any) -> LifecycleConfig:
    plain: dict[str, Any] = parse_yaml((ROOT / "conf/lifecycle/default.yaml").read_text(encoding="utf-8"))
    plain["retrain"]["triggers"] |= triggers
    return LifecycleConfig.model_validate(plain)


def ended(state: RetrainState, *, hours_ago: float, seq: int = 1) -> Retrain:
    at = NOW - round(hours_ago * HOUR_US)
    return Retrain("m", "degradation", at, "loop", at, state=state, seq=seq)


@pytest.mark.parametrize(
    ("triggers", "changes", "cause"),
    [
        ({}, {}, "degradation"),
        ({"degradation": False, "drift": True}, {}, "drift"),
        ({"degradation": False, "new_labels": 500}, {}, "new labels"),
        ({"degradation": False, "days": 1000.0}, {"degraded": []}, "schedule"),
        ({"degradation": False}, {}, None),
        ({"days": 1001.0, "new_labels": 501}, {"degraded": []}, None),
        ({}, {"champion_at": None}, None),
    ],
)
def test_the_cause_is_the_first_declared_trigger_that_fired(
    triggers: dict[str, Any], changes: dict[str, Any], cause: str | None
) -> None:
    assert evaluate_triggers(replace(DEGRADED, **changes), settings(**triggers)).cause == cause


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"retrains": (ended("trained", hours_ago=999),)}, "retrain 1 is open in state trained"),
        ({"retrains": (ended("failed", hours_ago=71),)}, "the pause of 72 h after retrain 1 ends at"),
        ({"n_new_labels": 499}, "499 of at least 500 labels arrived since the last snapshot"),
        ({"degraded": []}, "no metric became significantly worse"),
    ],
)
def test_the_reason_against_a_retrain_names_what_it_waits_for(changes: dict[str, Any], words: str) -> None:
    verdict = evaluate_triggers(replace(DEGRADED, **changes), settings())
    assert verdict.cause is None
    assert words in verdict.reason


def test_the_number_of_retrains_in_24_hours_is_bounded() -> None:
    recent = tuple(ended("failed", hours_ago=hours, seq=seq) for seq, hours in enumerate((20, 10), 1))
    without_pause = settings().model_copy(
        update={"retrain": settings().retrain.model_copy(update={"cooldown_hours": 0})}
    )
    verdict = evaluate_triggers(replace(DEGRADED, retrains=recent), without_pause)
    assert (verdict.cause, verdict.next_at) == (None, NOW + 4 * HOUR_US)


def test_the_pause_doubles_with_each_refusal_in_a_row_up_to_30_days() -> None:
    refused = [ended("refused", hours_ago=1)]
    hours = [cooldown_us(refused * n, 72.0) // HOUR_US for n in (0, 1, 2, 3, 4, 40)]
    assert hours == [72, 144, 288, 576, 720, 720]
    assert cooldown_us([*refused, ended("on_trial", hours_ago=1)], 72.0) == 72 * HOUR_US
