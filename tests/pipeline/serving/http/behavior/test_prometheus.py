"""A real Prometheus scrapes a server: the alert rules are silent while it is well, and fire when it is not."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipeline import files
from tests.fixtures.prometheus_server import run_prometheus, run_promtool
from tests.fixtures.server_process import MODEL_NAME, ROW, make_project, run_server
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import httpx

    from tests.fixtures.prometheus_server import RunningPrometheus
    from tests.fixtures.server_process import RunningServer

pytestmark = [pytest.mark.xdist_group("serving"), pytest.mark.usefixtures("starts_processes")]

INTERVAL_S = 1
# The shipped rules look at rates of minutes, and wait for minutes; those that wait for hours stay.
SHORTENED = {"[5m]": "[10s]", "[15m]": "[10s]"}
TRACE = "0af7651916cd43dd8448eb211c80319c"  # pragma: allowlist secret


def prometheus_config(folder: Path, *servers: RunningServer) -> dict[str, Any]:
    """Return a configuration with the shipped rules, shortened, that scrapes the servers each second."""
    text = (ROOT / "deploy/prometheus/mlops.yaml").read_text(encoding="utf-8")
    for shipped, short in SHORTENED.items():
        text = text.replace(shipped, short)
    rules = yaml.safe_load(text)
    for group in rules["groups"]:
        for rule in group["rules"]:
            if not rule.get("for", "").endswith(("h", "d")):
                rule["for"] = f"{2 * INTERVAL_S}s"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    targets = [server.address.removeprefix("http://") for server in servers]
    return {
        "global": {
            "scrape_interval": f"{INTERVAL_S}s",
            "scrape_timeout": f"{INTERVAL_S}s",
            "evaluation_interval": f"{INTERVAL_S}s",
        },
        "rule_files": [str(folder / "rules.yaml")],
        "scrape_configs": [{"job_name": "team-models", "static_configs": [{"targets": targets}]}],
    }


def has_scraped(prometheus: RunningPrometheus, *, times: int) -> bool:
    """Whether each target was scraped so many times with success."""
    counts = [float(sample["value"][1]) for sample in prometheus.query("sum_over_time(up[1h])")]
    return counts != [] and min(counts) >= times


def panels_without_data(prometheus: RunningPrometheus, *with_data: str) -> list[str]:
    """Return the panels of some dashboards without data; a query of any dashboard that is refused raises."""
    empty = []
    for path in sorted((ROOT / "deploy/grafana").glob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        chosen: dict[str, str] = {}
        for variable in dashboard["templating"]["list"][1:]:
            metric, label = variable["definition"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
            values = prometheus.get(f"label/{label}/values", **{"match[]": _substitute(metric, chosen)})
            chosen[variable["name"]] = f"({'|'.join(values)})" if variable.get("multi") else values[0]
        for panel in dashboard["panels"]:
            results = [prometheus.query(_substitute(target["expr"], chosen)) for target in panel["targets"]]
            if not all(results) and path.stem in with_data:
                empty.append(panel["title"])
    return empty


def _substitute(expression: str, chosen: Mapping[str, str]) -> str:
    for name, value in chosen.items():
        expression = expression.replace(f"${name}", value)
    return expression


def predict_slowly(server: RunningServer, seconds: float) -> None:
    """Send the head of a prediction request, and its body later."""
    body = json.dumps({"features": ROW}).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())
        time.sleep(seconds)
        connection.sendall(body)
        assert b" 200 " in connection.recv(4096)


def test_a_server_raises_no_alert_until_it_is_slow(server: RunningServer, client: httpx.Client, tmp_path: Path) -> None:
    with run_prometheus(tmp_path / "data", prometheus_config(tmp_path, server)) as prometheus:
        prometheus.wait_until(lambda running: has_scraped(running, times=1))
        client.post("/predict", json={"features": ROW})
        client.post("/predict/batch", json={"instances": [ROW] * 100})
        prometheus.wait_until(lambda running: has_scraped(running, times=5))
        assert prometheus.query(f'mlops_ready{{model="{MODEL_NAME}"}}')[0]["value"][1] == "1"
        assert prometheus.firing_alerts() == set()
        health = {rule["health"] for group in prometheus.get("rules")["groups"] for rule in group["rules"]}
        assert health == {"ok"}
        assert panels_without_data(prometheus, "service") == []
        deadline = time.monotonic() + 20
        while not prometheus.firing_alerts() and time.monotonic() < deadline:
            predict_slowly(server, 0.5)
        assert prometheus.firing_alerts() == {"MlopsSlow"}


def test_servers_without_a_model_and_killed_ones_raise_alerts(package: Path, tmp_path: Path) -> None:
    root, empty_root = tmp_path / "project", tmp_path / "empty"
    make_project(root, [package])
    empty_root.mkdir()
    files.write_text(empty_root / "params.yaml", (root / "params.yaml").read_text(encoding="utf-8"))
    (empty_root / "dvc.yaml").touch()
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_SAMPLER": "parentbased_always_off"}
    with (
        run_server(root, **traced) as server,
        run_server(empty_root) as empty,
        run_prometheus(tmp_path / "data", prometheus_config(tmp_path, server, empty)) as prometheus,
    ):
        with server.client() as client:
            header = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            assert client.post("/predict", json={"features": ROW}, headers=header).status_code == 200
        prometheus.wait_until(lambda running: running.firing_alerts() == {"MlopsNotReady"})
        (alert,) = (alert for alert in prometheus.get("alerts")["alerts"] if alert["state"] == "firing")
        assert alert["labels"]["instance"] == empty.address.removeprefix("http://")
        assert alert["annotations"]["summary"].endswith(f"cannot predict with {MODEL_NAME}")
        series = 'mlops_http_request_duration_seconds_bucket{operation="predict"}'
        (found,) = prometheus.get("query_exemplars", query=series, start=time.time() - 600, end=time.time() + 600)
        assert [exemplar["labels"] for exemplar in found["exemplars"]] == [{"trace_id": TRACE}]
        for killed in (server, empty):
            os.kill(killed.process.pid, signal.SIGKILL)
        prometheus.wait_until(lambda running: running.firing_alerts() == {"MlopsDown", "MlopsAbsent"})


def test_metrics_pass_the_lint_of_promtool(client: httpx.Client, promtool: str) -> None:
    client.post("/predict", json={"features": ROW})
    assert run_promtool(promtool, "check", "metrics", text=client.get("/metrics").text) == ""
