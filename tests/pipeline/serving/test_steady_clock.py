"""A jump of the machine's clock is ignored at first, and adopted when it lasts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pipeline.serving.steady_clock import SteadyClock, elapsed_s


@dataclass
class Clocks:
    """The two clocks of a machine; `pass_s` lets time pass on both."""

    wall_s: float = 1_700_000_000.0
    elapsed_s: float = 50.0

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.elapsed_s += seconds

    def steady(self) -> SteadyClock:
        return SteadyClock(wall=lambda: self.wall_s, elapsed=lambda: self.elapsed_s)


@pytest.mark.parametrize("jump_s", [-1e9, -3600, -3, 3, 3600, 86_400, 1e9])
def test_a_jump_is_ignored_for_a_quarter_of_an_hour_and_adopted_then(jump_s: float) -> None:
    clocks = Clocks()
    clock = clocks.steady()
    clocks.wall_s += jump_s
    for _ in range(89):
        assert clock() == pytest.approx(1_700_000_000 + clocks.elapsed_s - 50)
        clocks.pass_s(10)
    clock()
    clocks.pass_s(30)
    assert clock() == pytest.approx(clocks.wall_s)


def test_a_jump_and_back_changes_nothing() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    for jump_s in (86_400, -86_400):
        clocks.wall_s += jump_s
        clocks.pass_s(600)
        clock()
    clocks.pass_s(600)
    assert clock() == pytest.approx(clocks.wall_s)


def test_a_clock_that_keeps_jumping_is_never_adopted() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    for _ in range(100):
        clocks.wall_s += 3600
        clocks.pass_s(60)
        assert clock() == pytest.approx(1_700_000_000 + clocks.elapsed_s - 50)


def test_small_corrections_are_followed() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    for _ in range(10):
        clocks.wall_s += 1
        clocks.pass_s(60)
        assert clock() == pytest.approx(clocks.wall_s)


def test_elapsed_time_does_not_go_back() -> None:
    before = elapsed_s()
    assert 0 < before <= elapsed_s()
