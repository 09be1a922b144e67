"""All parts of a report cover the same rows, and everything that they need is read once."""

from __future__ import annotations

import itertools
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from pipeline.alerts.monitor_loop import run_monitor_once
from pipeline.config.config_loader import load_params
from pipeline.lifecycle.mlops_pipeline import MLOpsPipeline
from pipeline.monitoring.monitoring_html import monitoring_report_html
from pipeline.monitoring.monitoring_text import report_headline
from tests.pipeline.monitoring.log_fixtures import (
    MODEL_NAME,
    NOW,
    hours_us,
    live_rows,
    make_monitor,
    production_package,
    write_log,
    write_outcomes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def moving_clock(start: int) -> Callable[[], int]:
    """Return a clock that is ten minutes later at each call."""
    return itertools.count(start, hours_us(1 / 6)).__next__


@dataclass
class Accesses:
    """The files that were opened, the databases that were used, and the statements that ran."""

    files: list[str] = field(default_factory=list)
    engines: set[Engine] = field(default_factory=set)
    statements: list[str] = field(default_factory=list)

    def n_openings(self, name: str) -> int:
        return sum(path.endswith(f"/{name}") for path in self.files)

    @property
    def n_roll_ups(self) -> int:
        """How often roll-ups without new rows ran: each reads once how far they reach."""
        return sum("FROM counters" in statement for statement in self.statements)


_recorders: list[Accesses] = []


def _record_opening(name: str, args: tuple[Any, ...]) -> None:
    if _recorders and name == "open" and isinstance(args[0], str):
        _recorders[-1].files.append(args[0])


sys.addaudithook(_record_opening)  # a hook cannot be removed; this one does nothing outside of `recorded_accesses`


@contextmanager
def recorded_accesses() -> Iterator[Accesses]:
    accesses = Accesses()

    def record_statement(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        accesses.engines.add(connection.engine)
        accesses.statements.append(statement)

    event.listen(Engine, "before_cursor_execute", record_statement)
    _recorders.append(accesses)
    try:
        yield accesses
    finally:
        _recorders.pop()
        event.remove(Engine, "before_cursor_execute", record_statement)


@pytest.fixture
def steady_traffic(project: Path) -> Path:
    """Return a project with a row each half minute, also after `NOW`, and outcomes of every second row."""
    frame = live_rows(1_200)
    ids = write_log(project, frame, start=NOW - hours_us(5), stop=NOW + hours_us(5))
    truth = frame[production_package(project)[0].schema.target.column].astype(str)
    write_outcomes(project, list(zip(ids[::2], truth[::2], strict=True)))
    make_monitor(project).calculate_performance_metrics()  # so that no later roll-up has new rows
    return project


def test_all_parts_of_a_report_cover_the_same_rows_while_the_clock_moves(steady_traffic: Path) -> None:
    monitor = replace(make_monitor(steady_traffic), clock=moving_clock(NOW))
    report = monitor.generate_monitoring_report(4)
    n_rows = {
        report["dashboard"]["total_predictions"],
        report["drift"]["n_rows"],
        report["performance"]["total_predictions"],
        sum(report["dashboard"]["predictions_by_version"].values()),
        *(part["n_rows"] for part in report["performance"]["by_version"].values()),
    }
    n_outcomes = {report[part]["n_outcomes"] for part in ("dashboard", "performance", "degradation")}
    windows = [report[part]["window"] for part in ("dashboard", "drift", "performance", "degradation")]
    assert (n_rows, n_outcomes, windows) == ({480}, {240}, windows[:1] * 4)


def test_a_later_report_covers_later_rows(steady_traffic: Path) -> None:
    monitor = replace(make_monitor(steady_traffic), clock=moving_clock(NOW))
    windows = [monitor.generate_monitoring_report(4)["drift"]["window"]["until"] for _ in range(2)]
    assert windows[0] < windows[1]


def test_a_report_opens_the_database_rolls_up_and_reads_the_settings_once(steady_traffic: Path) -> None:
    monitor = make_monitor(steady_traffic)
    with recorded_accesses() as accesses:
        monitor.generate_monitoring_report()
    assert (len(accesses.engines), accesses.n_roll_ups) == (1, 1)
    assert accesses.n_openings("params.yaml") == 1


def test_a_monitor_reads_the_settings_once_for_many_reports(steady_traffic: Path) -> None:
    monitor = make_monitor(steady_traffic)
    with recorded_accesses() as accesses:
        monitor.detect_data_drift()
        monitor.detect_performance_degradation()
    assert accesses.n_openings("params.yaml") == 1


def test_a_monitor_run_with_its_incidents_uses_one_database(steady_traffic: Path) -> None:
    config = load_params(make_monitor(steady_traffic).resolved_root / "params.yaml")
    config = config.model_copy(update={"monitoring": config.monitoring.model_copy(update={"mlflow_runs": "none"})})
    with recorded_accesses() as accesses:
        result = run_monitor_once(config, steady_traffic)
    assert (len(accesses.engines), accesses.n_openings("params.yaml")) == (1, 0)
    assert result.report["drift"]["window"] == result.report["performance"]["window"]


def test_a_report_against_a_frame_covers_one_window(steady_traffic: Path) -> None:
    mlops = MLOpsPipeline("tries", MODEL_NAME, root=steady_traffic)
    with recorded_accesses() as accesses:
        report = mlops.monitor_production_model(reference_data=live_rows(400), window_hours=1_000_000)
    assert (len(accesses.engines), accesses.n_roll_ups) == (1, 1)
    assert report["drift"]["multivariate"] is not None
    assert report["drift"]["window"] == report["dashboard"]["window"]


def test_a_frame_gets_the_keys_of_a_window_of_the_log(steady_traffic: Path) -> None:
    monitor = make_monitor(steady_traffic)
    logged, frame = monitor.generate_monitoring_report(), monitor.evaluate_frame(live_rows(300))
    assert {part: set(frame[part]) for part in frame if part not in ("model", "dashboard")} == {
        part: set(logged[part]) for part in logged if part not in ("model", "dashboard")
    }
    assert "300 rows" in report_headline(frame)
    assert "Performance" in monitoring_report_html(frame)
