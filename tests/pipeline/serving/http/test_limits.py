from __future__ import annotations

import pytest

from pipeline.serving.http.limits import Admission, Buckets, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_caller_may_send_the_burst_at_once_and_then_waits() -> None:
    buckets = Buckets(per_s=2, burst=3, clock=Clock())
    assert [buckets.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_time_fills_the_bucket_again_up_to_the_burst() -> None:
    clock = Clock()
    buckets = Buckets(per_s=2, burst=3, clock=clock)
    for _ in range(3):
        buckets.wait_s("a")
    clock.now = 100
    assert [buckets.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_callers_do_not_share_a_bucket() -> None:
    buckets = Buckets(per_s=1, burst=1, clock=Clock())
    assert (buckets.wait_s("a"), buckets.wait_s("b"), buckets.wait_s("a")) == (0, 0, 1)


def test_looking_takes_no_token() -> None:
    buckets = Buckets(per_s=1, burst=1, clock=Clock())
    assert [buckets.wait_s("a", take=False), buckets.wait_s("a"), buckets.wait_s("a")] == [0, 0, 1]


def test_a_flood_of_callers_is_bounded_in_memory() -> None:
    buckets = Buckets(per_s=1, burst=1, n_callers=100, clock=Clock())
    for number in range(10_000):
        buckets.wait_s(str(number))
    assert len(buckets._known) == 100


@pytest.mark.parametrize(("size", "expected"), [(40, True), (41, False)])
def test_bodies_in_work_are_bounded_together(size: int, expected: bool) -> None:
    admission = Admission(max_requests=10, max_bytes=100)
    assert admission.enter(60)
    assert admission.enter(size) is expected


def test_one_request_more_than_the_limit_is_shed_and_counted() -> None:
    admission = Admission(max_requests=2, max_bytes=1000)
    assert [admission.enter(1) for _ in range(3)] == [True, True, False]
    assert admission.n_shed == 1
    admission.leave(1)
    assert admission.enter(1)


def test_a_large_body_is_let_in_while_nothing_else_is_answered() -> None:
    assert Admission(max_requests=2, max_bytes=10).enter(1_000_000)


def test_a_refusal_alone_waits_the_pause() -> None:
    assert Pace(pause_s=0.5, per_s=4, clock=Clock()).wait_s() == 0.5


def test_refusals_of_one_moment_go_out_one_after_the_other() -> None:
    pace = Pace(pause_s=0.5, per_s=4, clock=Clock())
    assert [pace.wait_s() for _ in range(4)] == [0.5, 0.75, 1.0, 1.25]


def test_after_a_quiet_time_refusals_wait_no_longer_than_the_pause() -> None:
    clock = Clock()
    pace = Pace(pause_s=0.5, per_s=4, clock=clock)
    for _ in range(20):
        pace.wait_s()
    clock.now = 100
    assert pace.wait_s() == 0.5
