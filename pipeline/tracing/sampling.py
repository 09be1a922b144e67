"""Decide whether a request or stage is traced: as its caller decided, or at random. Takes less than a microsecond."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TraceParent", "TraceSampler", "is_tracing_enabled", "parse_traceparent", "sampler_from_environment"]

_ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_SAMPLERS = (
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
)
# https://www.w3.org/TR/trace-context/: version, trace, span, flags; a later version may have further parts.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def is_tracing_enabled(environment: Mapping[str, str]) -> bool:
    """Return whether the standard variables name an exporter or the address of a collector."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    return exporter != "none" and (
        exporter != "" or any(environment.get(name, "").strip() for name in _ENDPOINT_VARIABLES)
    )


@dataclass(frozen=True, slots=True)
class TraceParent:
    """The span of the caller."""

    trace_id: str
    span_id: str
    is_sampled: bool


def parse_traceparent(header: str) -> TraceParent | None:
    """Return the caller's span of a `traceparent` header; None if the header is malformed (W3C Trace Context)."""
    match = _TRACEPARENT.fullmatch(header.strip())
    if match is None or (match[1] == "00" and match[5] is not None):
        return None
    return TraceParent(match[2], match[3], bool(int(match[4], 16) & 1))


@dataclass(frozen=True, slots=True)
class TraceSampler:
    """Selects what is traced.

    Parameters
    ----------
    sample_rate : float, from 0 to 1
        Share of the requests that are traced.
    is_parent_based : bool
        Whether a request with a caller's span follows the decision of the caller.
    """

    sample_rate: float
    is_parent_based: bool = True

    def should_sample(self, parent: TraceParent | None) -> bool:
        """Return whether to trace a request with this parent."""
        if parent is not None and self.is_parent_based:
            return parent.is_sampled
        return random.random() < self.sample_rate  # noqa: S311 - the selection is no secret


def sampler_from_environment(environment: Mapping[str, str], sample_rate: float) -> TraceSampler:
    """Return the sampler that OTEL_TRACES_SAMPLER names; without it, a parent-based one with `sample_rate`.

    Raises
    ------
    ConfigError
        When the sampler is unknown, or its rate is not a number from 0 to 1.
    """
    name = environment.get("OTEL_TRACES_SAMPLER", "").strip()
    if not name:
        return TraceSampler(sample_rate)
    if name not in _SAMPLERS:
        known = ", ".join(_SAMPLERS)
        raise ConfigError(f"OTEL_TRACES_SAMPLER {name!r}: expected one of {known}{did_you_mean(name, _SAMPLERS)}")
    is_parent_based = name.startswith("parentbased_")
    kind = name.removeprefix("parentbased_")
    if kind == "traceidratio":
        return TraceSampler(_parse_rate(environment.get("OTEL_TRACES_SAMPLER_ARG", "")), is_parent_based)
    return TraceSampler(1.0 if kind == "always_on" else 0.0, is_parent_based)


def _parse_rate(text: str) -> float:
    try:
        rate = float(text or 1)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ConfigError(f"OTEL_TRACES_SAMPLER_ARG {text!r}: expected a rate from 0 to 1, such as 0.01")
    return rate
