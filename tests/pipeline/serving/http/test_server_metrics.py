"""The metrics of a running server, as Prometheus parses them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fixtures.server_process import ROW

if TYPE_CHECKING:
    import httpx

pytestmark = pytest.mark.xdist_group("serving")


def test_metrics_are_parsed_by_prometheus_and_count_the_requests(client: httpx.Client) -> None:
    def value(name: str, **labels: str) -> float:
        families = text_string_to_metric_families(client.get("/metrics").text)
        values = [
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(values)

    before = value("mlops_http_requests_total", operation="predict", status="200")
    rows_before = value("mlops_predictions_total")
    client.post("/predict", json={"features": ROW})
    client.post("/predict/batch", json={"instances": [ROW] * 5})
    assert value("mlops_http_requests_total", operation="predict", status="200") == before + 1
    assert value("mlops_predictions_total") == rows_before + 6
    assert value("mlops_model_generation") == 1


def test_labels_are_bounded_for_any_request(client: httpx.Client) -> None:
    for number in range(200):
        client.get(f"/nowhere/{number}")
    operations = set(re.findall(r'operation="([^"]+)"', client.get("/metrics").text))
    assert not [operation for operation in operations if "nowhere" in operation]
    assert "unmatched" in operations
