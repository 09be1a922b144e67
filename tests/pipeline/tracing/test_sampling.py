"""Sampling by the standard variables and by the decision of the caller."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError
from pipeline.tracing.sampling import (
    TraceParent,
    TraceSampler,
    is_tracing_enabled,
    parse_traceparent,
    sampler_from_environment,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"  # pragma: allowlist secret


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({"OTEL_SERVICE_NAME": "a name asks for nothing"}, False),
    ],
)
def test_traces_are_made_where_an_exporter_or_a_collector_is_named(environment: dict[str, str], expected: bool) -> None:
    assert is_tracing_enabled(environment) is expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", TraceParent(TRACE, SPAN, is_sampled=True)),
        (f"00-{TRACE}-{SPAN}-00", TraceParent(TRACE, SPAN, is_sampled=False)),
        (f"00-{TRACE}-{SPAN}-03", TraceParent(TRACE, SPAN, is_sampled=True)),
        # A later version may have further parts.
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", TraceParent(TRACE, SPAN, is_sampled=True)),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        ("", None),
    ],
)
def test_a_parent_is_read_as_w3c_writes_it(word: str, expected: TraceParent | None) -> None:
    assert parse_traceparent(word) == expected


@pytest.mark.parametrize(
    ("word", "argument", "expected"),
    [
        ("", "", TraceSampler(0.25)),
        ("always_on", "", TraceSampler(1.0, is_parent_based=False)),
        ("parentbased_always_off", "", TraceSampler(0.0)),
        ("traceidratio", "0.5", TraceSampler(0.5, is_parent_based=False)),
        ("parentbased_traceidratio", "", TraceSampler(1.0)),
    ],
)
def test_the_sampler_is_that_of_the_environment(word: str, argument: str, expected: TraceSampler) -> None:
    environment = {"OTEL_TRACES_SAMPLER": word, "OTEL_TRACES_SAMPLER_ARG": argument}
    assert sampler_from_environment(environment, 0.25) == expected


def test_an_unknown_sampler_or_rate_is_refused_with_a_message() -> None:
    with pytest.raises(ConfigError, match=r"OTEL_TRACES_SAMPLER 'traceidration': .*did you mean 'traceidratio'"):
        sampler_from_environment({"OTEL_TRACES_SAMPLER": "traceidration"}, 1.0)
    with pytest.raises(ConfigError, match=r"OTEL_TRACES_SAMPLER_ARG '7': expected a rate from 0 to 1"):
        sampler_from_environment({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "7"}, 1.0)


def test_the_caller_decides_and_otherwise_the_rate_does() -> None:
    sampler = TraceSampler(0.1)
    picked = sum(sampler.should_sample(None) for _ in range(20_000))
    # Six standard deviations of a fair draw.
    assert abs(picked - 2000) < 6 * (20_000 * 0.1 * 0.9) ** 0.5
    assert all(sampler.should_sample(TraceParent(TRACE, SPAN, is_sampled=True)) for _ in range(100))
    assert not any(TraceSampler(1.0).should_sample(TraceParent(TRACE, SPAN, is_sampled=False)) for _ in range(100))
