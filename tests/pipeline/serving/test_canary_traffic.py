"""A server counts both variants, and stops the challenger by its own counts and by those of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.metrics.canary_guard import DURATION_BOUNDS_S, VariantCounts
from pipeline.serving.canary_traffic import CanaryTraffic
from tests.fixtures.toy_dataset import settings

SLOW = VariantCounts(n_requests=9, durations=(0,) * len(DURATION_BOUNDS_S) + (9,))
FAST = VariantCounts(n_requests=500, durations=(500,) + (0,) * len(DURATION_BOUNDS_S))


@pytest.fixture
def traffic() -> CanaryTraffic:
    return CanaryTraffic(settings().lifecycle.canary)


def test_both_variants_are_counted(traffic: CanaryTraffic) -> None:
    traffic.observe("champion", n_requests=3, n_predictions=30, duration_s=0.0005)
    traffic.observe("challenger", n_requests=1, n_predictions=4, duration_s=0.0005)
    traffic.observe_error()
    own = traffic.own()
    assert replace(own["champion"], durations=()) == VariantCounts(3, 0, 30, (), 0.0005)
    assert replace(own["challenger"], durations=()) == VariantCounts(2, 1, 4, (), 0.0005)
    assert own["champion"].durations == (1,) + (0,) * len(DURATION_BOUNDS_S)
    assert traffic.as_dict()["challenger"]["n_errors"] == 1


def test_errors_stop_the_challenger_at_once(traffic: CanaryTraffic) -> None:
    for _ in range(3):
        traffic.observe_error()
    assert traffic.stop_reason == "the challenger failed in 2 of 2 requests, significantly above 1.00%"


def test_the_counts_of_other_servers_count_too(traffic: CanaryTraffic) -> None:
    traffic.merge_others({"champion": FAST, "challenger": VariantCounts()})
    assert traffic.stop_reason is None
    traffic.merge_others({"champion": FAST, "challenger": SLOW})
    assert "took longer than 2 ms" in str(traffic.stop_reason)


def test_the_first_reason_remains(traffic: CanaryTraffic) -> None:
    traffic.stop("ada stopped it")
    traffic.merge_others({"champion": FAST, "challenger": SLOW})
    assert traffic.stop_reason == "ada stopped it"
