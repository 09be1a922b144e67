"""A window of any length has the rows of its interval, from roll-ups and from single rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.monitoring.log.log_window import PredictionLog, WindowTallies, window_by_rows, window_by_time
from pipeline.monitoring.log.rollup_layout import PREDICTIONS
from pipeline.monitoring.log.rollup_updates import roll_up
from pipeline.state import open_state
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    production_package,
    write_log,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.package import Package
    from pipeline.state import State


def tallies_by_source(state: State, package: Package, section: str, since: int, until: int) -> dict[str, list[int]]:
    log = PredictionLog(state, MODEL_NAME, lambda _: package)
    tallies = WindowTallies(log, window_by_time(log, since=since, until=until)).section(section)
    return {source: [tally.n_rows, *tally.counts.tolist()] for (_, source, _), tally in sorted(tallies.items())}


@pytest.mark.parametrize("n", [1, 37, 399, 400, 1_000])
def test_a_window_of_rows_has_the_last_of_them(project: Path, n: int) -> None:
    write_log(project, live_rows(400), start=NOW - hours_us(9), stop=NOW)
    monitor = make_monitor(project)
    assert monitor.get_monitoring_dashboard_data(window_rows=n)["total_predictions"] == min(n, 400)
    assert monitor.detect_data_drift(window_rows=n)["n_rows"] == min(n, 400)


def test_a_window_of_rows_looks_past_rows_of_the_future(project: Path) -> None:
    """A clock that was set back leaves rows after the current moment."""
    write_log(project, live_rows(50), start=NOW - hours_us(3), stop=NOW)
    write_log(project, live_rows(20), start=NOW + 10, stop=NOW + hours_us(2), prefix="future")
    package, _ = production_package(project)
    state = open_state(project)
    roll_up(state, MODEL_NAME, lambda _: package)
    window = window_by_rows(PredictionLog(state, MODEL_NAME, lambda _: package), 50, until=NOW + 1)
    assert tallies_by_source(state, package, PREDICTIONS, window.since, window.until)["api"][0] == 50
    state.close()


def test_a_window_of_a_month_is_the_sum_of_its_days_and_hours(project: Path) -> None:
    package, _ = production_package(project)
    write_log(project, live_rows(900), start=NOW - hours_us(24 * 30), stop=NOW)
    state = open_state(project)
    roll_up(state, MODEL_NAME, lambda _: package)
    moments = np.linspace(NOW - hours_us(24 * 30), NOW, 900, endpoint=False).astype(np.int64)
    for since, until in (
        (NOW - hours_us(24 * 29.3), NOW - hours_us(24 * 2.7)),
        (NOW - hours_us(47.5), NOW - hours_us(2.2)),
    ):
        window = window_by_time(PredictionLog(state, MODEL_NAME, lambda _: package), since=since, until=until)
        assert (
            tallies_by_source(state, package, PREDICTIONS, since, until)["api"][0]
            == ((moments >= window.since) & (moments < until)).sum()
        )
        assert since - window.since < hours_us(1)
    state.close()
