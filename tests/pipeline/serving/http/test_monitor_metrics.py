"""Results of the monitor are in /metrics, and rules and dashboards use existing metrics and labels."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pipeline import state as store
from pipeline.alerts.rule_inputs import fetch_server_metrics
from pipeline.alerts.run_summary import flatten_metrics, summarize_run
from pipeline.config.config_loader import load_params
from pipeline.serving.http.metrics_encoding import encode_metrics
from pipeline.serving.http.monitor_metrics import MonitorSnapshot, monitor_gauges
from pipeline.streaming.kafka_client import Partition
from pipeline.streaming.lag_meter import PartitionLag
from pipeline.streaming.stream_metrics import stream_metrics
from pipeline.streaming.stream_stats import StreamStats
from tests.fixtures.server_process import MODEL_NAME, ROW
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from tests.fixtures.server_process import RunningServer

RULES = sorted((ROOT / "deploy/prometheus").glob("*.yaml"))
DASHBOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))
# What a person selects at the top of a dashboard.
CHOSEN = 'model="$model",job=~"$job",instance=~"$instance"'
RUN_AT = 1_770_000_000_000_000


def drift_report(n_columns: int) -> dict[str, Any]:
    finding = {
        "kind": "feature",
        "verdict": "drift",
        "statistic": "wasserstein",
        "value": 0.4,
        "threshold": 0.1,
        "priority": 4.0,
    }
    estimated = {"accuracy": {"value": 0.9}, "f1_score": {"value": None}}
    return {
        "drift": {"findings": [{"column": f"c{i}", **finding} for i in range(n_columns)]},
        "performance": {
            "estimated": estimated, "accuracy": 0.8, "f1_score": None, "total_predictions": 600, "n_outcomes": 300,
            "coverage": 0.5,
        },
        "degradation": {"findings": [{"metric": "accuracy", "baseline": 0.95, "verdict": "degraded"}]},
        "fairness": {"columns": []},
    }  # fmt: skip


def promql_expressions() -> list[str]:
    expressions = [
        rule["expr"]
        for path in RULES
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            expressions += [target["expr"].replace(f"{CHOSEN},", "") for target in panel["targets"]]
    return [expression.replace(f"{{{CHOSEN}}}", "") for expression in expressions]


@pytest.mark.parametrize("verdict", ["not_enough_data", "not_evaluated"])
def test_a_column_without_a_verdict_is_not_exported_as_free_of_drift(verdict: str) -> None:
    report = drift_report(2)
    report["drift"]["findings"][0] |= {"verdict": verdict, "value": None, "threshold": None}
    run = store.MonitorRun(MODEL_NAME, 1, RUN_AT, 0, RUN_AT, verdict, None, summarize_run(report, (), None))
    families = {family.name: family for family in monitor_gauges(MonitorSnapshot(run, {}, 0))}
    assert [sample.labels["column"] for sample in families["mlops_drift_detected"].samples] == ["c1"]


VERDICT = {"gain": 0.004, "lower": -0.001, "upper": None, "n_outcomes": 700}
COMPARED = store.LoopDecision("trial 3", "none", "open", {"verdict": VERDICT})
SKIPPED = store.LoopDecision("trial 4", "none", "the run was ended before its turn")


@pytest.fixture(scope="module")
def samples(server: RunningServer) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Every sample of /metrics of a server and a consumer by name, after a run of the monitor and a prediction."""
    state = store.open_state(server.root)
    with state.writing() as connection:
        run = store.MonitorRun(
            MODEL_NAME, 1, RUN_AT, RUN_AT - 1, RUN_AT, "drift", "warning", summarize_run(drift_report(150), (), None)
        )
        store.add_monitor_run(connection, run)
        values = ("warning", "title", "message", {}, RUN_AT, RUN_AT)
        number = store.add_incident(connection, store.Incident("quality", MODEL_NAME, ("drift",), *values))
        store.add_loop_run(connection, store.LoopRun(MODEL_NAME, RUN_AT, "one", (COMPARED, SKIPPED), RUN_AT))
        store.add_retrain(connection, store.Retrain(MODEL_NAME, "degradation", RUN_AT, "loop", RUN_AT))
        store.add_delivery(connection, number, "log", "k", {}, at=RUN_AT)
    state.close()
    with server.client() as client:
        client.post("/predict", json={"features": ROW})
        text = client.get("/metrics").text
    lag = PartitionLag(Partition("events", 0), 5, 9, RUN_AT, RUN_AT)
    stream_text = encode_metrics(stream_metrics(StreamStats(), [lag], now=RUN_AT), model=MODEL_NAME).body.decode()
    samples_by_name: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in chain(text_string_to_metric_families(text), text_string_to_metric_families(stream_text)):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "model"}
            samples_by_name.setdefault(sample.name, []).append((labels, sample.value))
    return samples_by_name


def test_the_monitor_reads_server_metrics(
    server: RunningServer, samples: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_params(server.root / "params.yaml")
    monkeypatch.setenv(config.alerts.server.url_env, server.address)
    server_metrics = fetch_server_metrics(config.alerts.server, config.serving)
    assert server_metrics is not None
    assert (server_metrics.n_responses >= 1, server_metrics.n_errors, server_metrics.is_log_failing) == (
        bool(samples),
        0,
        False,
    )


def test_drift_and_performance_are_gauges_by_a_bounded_number_of_columns(samples: dict[str, Any]) -> None:
    assert len(samples["mlops_drift_statistic"]) == 100
    assert samples["mlops_drift_statistic"][0] == ({"column": "c0", "kind": "feature", "statistic": "wasserstein"}, 0.4)
    assert {labels["kind"]: value for labels, value in samples["mlops_performance"]} == {
        "realized": 0.8, "estimated": 0.9, "baseline": 0.95,
    }  # fmt: skip
    assert samples["mlops_monitor_last_run_timestamp_seconds"] == [({}, RUN_AT / 1_000_000)]
    assert ({"severity": "warning"}, 1.0) in samples["mlops_incidents_open"]
    assert samples["mlops_notifications_pending"] == [({}, 1.0)]


def test_the_loop_exposes_its_last_run_its_retrains_and_what_waits(samples: dict[str, Any]) -> None:
    assert samples["mlops_loop_last_run_timestamp_seconds"] == [({}, RUN_AT / 1_000_000)]
    assert samples["mlops_retrains"] == [({"state": "asked"}, 1.0)]
    assert samples["mlops_loop_waiting_decisions"] == [({}, 1.0)]


def test_a_trial_exposes_its_outcomes_and_the_bounds_of_its_gain_that_it_has(samples: dict[str, Any]) -> None:
    assert samples["mlops_trial_outcomes"] == [({"trial": "3"}, 700.0)]
    assert samples["mlops_trial_gain"] == [
        ({"trial": "3", "bound": "estimate"}, 0.004),
        ({"trial": "3", "bound": "lower"}, -0.001),
    ]


@pytest.mark.parametrize("expression", sorted(set(promql_expressions())))
def test_an_expression_uses_existing_metrics_and_labels(expression: str, samples: dict[str, Any]) -> None:
    named = re.findall(r"(mlops_\w+)(?:\{([^}]*)\})?", expression)
    assert named
    for name, chosen in named:
        assert name in samples
        label_names = set(re.findall(r"(\w+)\s*[=!]~?", chosen))
        assert label_names <= set(samples[name][0][0])


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_an_address_and_panels_that_do_not_overlap(path: Any) -> None:
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    assert dashboard["uid"] == f"mlops-{path.stem}"
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places) == len({panel["id"] for panel in dashboard["panels"]})


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_asks_for_its_data_source_and_its_model(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    dashboard = json.loads(text)
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == [
        "datasource", "model", "job", "instance",
    ]  # fmt: skip
    assert set(re.findall(r'"uid": "([^"]+)"', text)) == {dashboard["uid"], "${datasource}"}
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert [
        expression for expression in expressions if re.search(rf"mlops_\w+(?!\w|{{{re.escape(CHOSEN)})", expression)
    ] == []


def test_the_number_of_drifted_columns_counts_those_beyond_the_listed_ones() -> None:
    summary = summarize_run(drift_report(150), (), None)
    assert (len(summary["columns"]), flatten_metrics(summary)["columns_drifted"]) == (100, 150.0)


@pytest.mark.parametrize("result", ["logged", "unlogged", "opted_out"])
def test_a_panel_shows_what_became_of_the_predicted_rows(result: str, samples: dict[str, Any]) -> None:
    name = "mlops_prediction_log_rows_total"
    assert result in {labels["result"] for labels, _ in samples[name]}
    expressions = promql_expressions()
    assert f"sum by (result) (rate({name}[5m]))" in expressions
    assert result == "logged" or any(f'{name}{{result="{result}"}}' in expression for expression in expressions)
