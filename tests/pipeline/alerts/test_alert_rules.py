"""Each rule about outcomes and about the server says what it has to say, in its unit."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from pipeline import state as store
from pipeline.alerts import monitor_loop
from pipeline.alerts.alert_rules import evaluate_rules
from pipeline.alerts.rule_inputs import RuleInputs, ServerMetrics, fetch_server_metrics
from pipeline.config.config_loader import load_params
from pipeline.config.groups.alerts_config import AlertRuleConfig
from pipeline.errors import ConfigError
from pipeline.fairness import assess_fairness
from tests.fixtures.toy_dataset import ROOT, settings
from tests.pipeline.alerts.test_monitor_loop import make_config, utc_now_us
from tests.pipeline.fairness.test_fairness_report import TARGET, tallies
from tests.pipeline.monitoring.log_fixtures import hours_us, live_rows, production_package, write_log, write_outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("heavy_computation")

RULES = {
    "degradation": AlertRuleConfig(condition="degradation", severity="critical", group="quality"),
    "not_trusted": AlertRuleConfig(condition="not_trusted", severity="warning", group="quality"),
    "errors": AlertRuleConfig(condition="error_rate", above_share=0.01, severity="critical", group="service"),
    "log_lag": AlertRuleConfig(condition="log_lag", above_rows=100.0, severity="critical", group="service"),
    "stale_outcomes": AlertRuleConfig(
        condition="stale_outcomes", above_hours=1.0, severity="warning", group="freshness"
    ),
}


@contextmanager
def metrics_server(lines: list[str], path_prefix: str = "") -> Iterator[str]:
    """Yield the address of a server whose /metrics has these lines; it may stand below a path, as behind a proxy."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == f"{path_prefix}/metrics" else 404)
            self.end_headers()
            self.wfile.write("".join(f"{line}\n" for line in lines).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{path_prefix}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def metrics_lines(*, good: int, bad: int, waiting: int, failing: int = 0) -> list[str]:
    requests = 'mlops_http_requests_total{{operation="predict",status="{}"}} {}'
    return [
        "# TYPE mlops_http_requests counter", requests.format(200, good), requests.format(503, bad),
        "# TYPE mlops_prediction_log_queue_rows gauge", f"mlops_prediction_log_queue_rows {waiting}",
        "# TYPE mlops_prediction_log_healthy gauge", f"mlops_prediction_log_healthy {1 - failing}",
    ]  # fmt: skip


def test_each_rule_fires_on_bad_outcomes_and_a_failing_server(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(project, rules=RULES)
    ids = write_log(project, frame := live_rows(400), start=utc_now_us() - hours_us(3), stop=utc_now_us() - hours_us(2))
    first, second = production_package(project)[0].schema.target.classes
    turned = [second if word == first else first for word in frame[production_package(project)[0].schema.target.column]]
    with metrics_server(exposed_lines := metrics_lines(good=1000, bad=50, waiting=0)) as address:
        monkeypatch.setenv("MLOPS_SERVER_URL", address)
        before = monitor_loop.run_monitor_once(config, project)
        write_outcomes(project, list(zip(ids, turned, strict=True)))  # they carry a moment of months ago
        exposed_lines[:] = metrics_lines(good=1090, bad=60, waiting=101)
        after = monitor_loop.run_monitor_once(config, project)
    assert {one.rule: one.is_firing for one in before.rule_results} == {
        "degradation": None, "not_trusted": None, "errors": None, "log_lag": False, "stale_outcomes": False,
    }  # fmt: skip
    words = {one.rule: one.summary for one in after.rule_results if one.is_firing}
    assert set(words) == set(RULES)
    assert words["errors"] == "10% of 100 responses were server errors"
    assert words["log_lag"] == "101 rows wait for the log"
    assert words["degradation"].startswith("worse than the baseline: ")
    assert words["not_trusted"].startswith("estimated metrics disagree with outcomes: Accuracy")
    assert words["stale_outcomes"].startswith("no outcome for ")
    (service,) = (one for one in after.incidents if one.group_name == "service")
    assert "Affected: 10% of responses" in service.message


def test_a_rule_without_a_result_leaves_its_incident_open(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_config(project, rules={name: RULES[name] for name in ("errors", "log_lag")})
    statuses = []
    with metrics_server(exposed_lines := metrics_lines(good=1000, bad=0, waiting=0)) as address:
        monkeypatch.setenv("MLOPS_SERVER_URL", address)
        for good, bad, waiting in ((1000, 0, 0), (1090, 10, 0), (1090, 10, 500), (1090, 10, 0), (1190, 10, 0)):
            exposed_lines[:] = metrics_lines(good=good, bad=bad, waiting=waiting)
            statuses.append([one.status for one in monitor_loop.run_monitor_once(config, project).incidents])
    assert statuses == [[], ["open"], ["open"], [], ["resolved"]]


@pytest.mark.parametrize("address", ["http://localhost:99999", "http://[::1", "localhost:5000", "ftp://localhost"])
def test_an_invalid_server_url_is_refused_by_variable_name(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_params(ROOT / "params.yaml")
    monkeypatch.setenv("MLOPS_SERVER_URL", address)
    with pytest.raises(ConfigError, match=r"^MLOPS_SERVER_URL: the address is not valid; expected http://HOST:PORT"):
        fetch_server_metrics(config.alerts.server, config.serving)


def test_log_lag_fires_when_the_log_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_params(ROOT / "params.yaml")
    with metrics_server(metrics_lines(good=9, bad=1, waiting=3, failing=1)) as address:
        monkeypatch.setenv("MLOPS_SERVER_URL", address)
        assert fetch_server_metrics(config.alerts.server, config.serving) == ServerMetrics(
            10, 1, 3, is_log_failing=True
        )


def test_server_metrics_are_fetched_below_a_proxy_path(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_params(ROOT / "params.yaml")
    with metrics_server(metrics_lines(good=9, bad=1, waiting=3), path_prefix="/models/personality") as address:
        for written in (address, f"{address}/"):
            monkeypatch.setenv("MLOPS_SERVER_URL", written)
            assert fetch_server_metrics(config.alerts.server, config.serving) == ServerMetrics(
                10, 1, 3, is_log_failing=False
            )


@pytest.mark.parametrize(("n", "bad", "is_firing"), [(3, 1, None), (1, 1, None), (100, 1, False), (5, 4, True)])
def test_a_single_error_among_few_responses_does_not_fire(
    project: Path, monkeypatch: pytest.MonkeyPatch, n: int, bad: int, is_firing: bool | None
) -> None:
    config = make_config(project, rules={"errors": RULES["errors"]})
    with metrics_server(exposed_lines := metrics_lines(good=1000, bad=0, waiting=0)) as address:
        monkeypatch.setenv("MLOPS_SERVER_URL", address)
        monitor_loop.run_monitor_once(config, project)
        exposed_lines[:] = metrics_lines(good=1000 + n - bad, bad=bad, waiting=0)
        (result,) = monitor_loop.run_monitor_once(config, project).rule_results
    assert result.is_firing is is_firing


def test_stale_outcomes_fires_when_no_outcome_ever_arrived(project: Path) -> None:
    config = make_config(project, rules={"stale_outcomes": RULES["stale_outcomes"]})
    write_log(project, live_rows(10), start=utc_now_us() - hours_us(3), stop=utc_now_us() - hours_us(2))
    state = store.open_state(project)
    with state.writing() as connection:
        connection.exec_driver_sql(f"UPDATE deployments SET deployed_at = {utc_now_us() - hours_us(9)}")
    state.close()
    (result,) = monitor_loop.run_monitor_once(config, project).rule_results
    assert (result.is_firing, result.summary) == (True, "no outcome for 9 hours")


UNEQUAL = {"f": (900, 100, 900, 100), "m": (500, 500, 500, 500)}
EQUAL = {"f": (4000, 800, 700, 4000), "m": (4100, 800, 720, 4050), "x": (1, 1, 1, 1)}
SMALL = {"f": (9, 1, 9, 1), "m": (500, 500, 500, 500)}


@pytest.mark.parametrize(
    ("groups", "is_firing", "value"), [(UNEQUAL, True, 2), (EQUAL, False, 0), (SMALL, None, None), (None, None, None)]
)
def test_a_failing_group_fires_and_too_few_rows_decide_nothing(
    groups: dict[str, tuple[int, int, int, int]] | None, is_firing: bool | None, value: float | None
) -> None:
    tallied = [] if groups is None else [tallies(**groups)]
    report = {"fairness": assess_fairness(tallied, TARGET, settings().fairness).as_dict()}
    inputs = RuleInputs(
        "m",
        1,
        report,
        store.Freshness(None, None, None),
        None,
        None,
        min_rows=1,
        loop=store.LoopFacts(),
        loop_mode="off",
    )
    (result,) = evaluate_rules({"fairness": settings().alerts.rules["fairness"]}, inputs)
    assert (result.is_firing, result.value, result.severity) == (is_firing, value, "warning")
