"""The facts about a canary are those of all servers together."""

from __future__ import annotations

from pipeline.metrics.canary_guard import DURATION_BOUNDS_S, GuardVerdict, VariantCounts
from pipeline.serving.canary_facts import CanaryFacts, pool_traffic
from pipeline.state import TrialServer, VariantTraffic

EMPTY = (0,) * (len(DURATION_BOUNDS_S) + 1)


def _traffic(server: str, variant: str, n_requests: int) -> VariantTraffic:
    return VariantTraffic(1, server, variant, n_requests, 1, 2, EMPTY, 0.5, 10)


def _facts(*servers: TrialServer, verdict: GuardVerdict | None = None) -> CanaryFacts:
    return CanaryFacts(VariantCounts(), VariantCounts(), verdict or GuardVerdict(), list(servers))


def test_the_counts_of_servers_add_up_by_variant() -> None:
    pooled = pool_traffic([_traffic("a", "champion", 7), _traffic("a", "challenger", 3), _traffic("b", "champion", 5)])
    assert pooled == {
        "champion": VariantCounts(12, 2, 4, EMPTY, 1.0),
        "challenger": VariantCounts(3, 1, 2, EMPTY, 0.5),
    }


def test_a_stop_of_any_server_comes_before_the_verdict() -> None:
    verdict = GuardVerdict("errors", "fails too often")
    stopped = TrialServer(1, "b", "stopped", "ada stopped it", 5, 10)
    serving = TrialServer(1, "a", "serving", "", 1, 10)
    assert _facts(serving, stopped, verdict=verdict).stop_reason == "ada stopped it"
    assert _facts(serving, verdict=verdict).stop_reason == "fails too often"
    assert _facts(serving).stop_reason is None


def test_a_server_that_refuses_the_challenger_long_enough_is_named() -> None:
    refused = TrialServer(1, "a", "refused", "no package", 100, 200)
    assert _facts(refused).refused_since(100, seen_since=200) == [refused]
    assert _facts(refused).refused_since(99, seen_since=200) == []
    assert _facts(refused).refused_since(100, seen_since=201) == []
