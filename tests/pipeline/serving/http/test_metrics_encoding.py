"""Metrics are encoded in the format that a caller accepts, with the release and the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pipeline.serving.http.metrics_encoding import encode_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
# What Prometheus sends.
PROMETHEUS = f"{OPEN_METRICS};q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"


@pytest.mark.parametrize(
    ("accept", "media_type", "parse"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8", parse_text),
        ("text/html", "text/plain; version=0.0.4; charset=utf-8", parse_text),
        (OPEN_METRICS, OPEN_METRICS, parse_open_metrics),
        (PROMETHEUS, OPEN_METRICS, parse_open_metrics),
    ],
)
def test_the_format_is_one_that_the_caller_accepts(accept: str, media_type: str, parse: Callable[[str], Any]) -> None:
    metrics = encode_metrics([GaugeMetricFamily("mlops_ready", "Help.", value=1.0)], model="m", accept=accept)
    assert metrics.media_type.startswith(media_type)
    samples = {sample.name: sample for family in parse(metrics.body.decode()) for sample in family.samples}
    assert samples["mlops_ready"].value == 1.0
    assert samples["mlops_build_info"].labels["model"] == "m"
    assert samples["process_resident_memory_bytes"].value > 1_000_000


def test_each_sample_of_the_engine_has_the_name_of_the_model() -> None:
    family = CounterMetricFamily("mlops_predictions", "Help.", labels=["prediction"])
    family.add_metric(["yes"], 3)
    histogram = HistogramMetricFamily("mlops_seconds", "Help.", buckets=[("1.0", 1), ("+Inf", 2)], sum_value=3.0)
    for accept, parse in (("", parse_text), (OPEN_METRICS, parse_open_metrics)):
        text = encode_metrics([family, histogram], model='a "b"\\\n', accept=accept).body.decode()
        samples = [sample for family in parse(text) for sample in family.samples]
        models = {sample.labels.get("model") for sample in samples if sample.name.startswith("mlops_")}
        assert models == {'a "b"\\\n'}
        assert {"mlops_predictions_total", "mlops_seconds_bucket"} <= {sample.name for sample in samples}
