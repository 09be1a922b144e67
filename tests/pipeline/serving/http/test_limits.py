from __future__ import annotations

import pytest

from pipeline.serving.http.limits import ConcurrencyLimiter, RateLimiter, RefusalPacer


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_caller_waits_after_the_burst() -> None:
    buckets = RateLimiter(per_s=2, burst=3, clock=Clock())
    assert [buckets.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_time_fills_the_bucket_again_up_to_the_burst() -> None:
    clock = Clock()
    buckets = RateLimiter(per_s=2, burst=3, clock=clock)
    for _ in range(3):
        buckets.wait_s("a")
    clock.now = 100
    assert [buckets.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_callers_do_not_share_a_bucket() -> None:
    buckets = RateLimiter(per_s=1, burst=1, clock=Clock())
    assert (buckets.wait_s("a"), buckets.wait_s("b"), buckets.wait_s("a")) == (0, 0, 1)


def test_a_flood_of_callers_is_bounded_in_memory() -> None:
    buckets = RateLimiter(per_s=1, burst=1, max_callers=100, clock=Clock())
    for number in range(10_000):
        buckets.wait_s(str(number))
    assert len(buckets._buckets) == 100


@pytest.mark.parametrize(("size", "expected"), [(40, True), (41, False)])
def test_bodies_in_work_are_bounded_together(size: int, expected: bool) -> None:
    admission = ConcurrencyLimiter(max_requests=10, max_bytes=100)
    assert admission.acquire(60)
    assert admission.acquire(size) is expected


def test_a_request_over_the_limit_is_shed_and_counted() -> None:
    admission = ConcurrencyLimiter(max_requests=2, max_bytes=1000)
    assert [admission.acquire(1) for _ in range(3)] == [True, True, False]
    assert admission.n_shed == 1
    admission.release(1)
    assert admission.acquire(1)


def test_a_large_body_is_admitted_while_the_server_is_idle() -> None:
    assert ConcurrencyLimiter(max_requests=2, max_bytes=10).acquire(1_000_000)


def test_a_single_refusal_waits_the_pause() -> None:
    assert RefusalPacer(pause_s=0.5, per_s=4, clock=Clock()).wait_s() == 0.5


def test_simultaneous_refusals_are_spread_over_time() -> None:
    pace = RefusalPacer(pause_s=0.5, per_s=4, clock=Clock())
    assert [pace.wait_s() for _ in range(4)] == [0.5, 0.75, 1.0, 1.25]


def test_after_a_quiet_time_refusals_wait_no_longer_than_the_pause() -> None:
    clock = Clock()
    pace = RefusalPacer(pause_s=0.5, per_s=4, clock=clock)
    for _ in range(20):
        pace.wait_s()
    clock.now = 100
    assert pace.wait_s() == 0.5
