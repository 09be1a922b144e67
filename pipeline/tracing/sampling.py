"""Decide in less than a microsecond whether something is traced: by the caller's word, or by chance."""

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
# https://www.w3.org/TR/trace-context/: version, trace, span, flags; a later version may have more behind.
_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


def is_tracing_enabled(environment: Mapping[str, str]) -> bool:
    """Return whether the standard variables ask for traces: an exporter is named, or the address of a collector."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    return exporter != "none" and (
        exporter != "" or any(environment.get(name, "").strip() for name in _ENDPOINT_VARIABLES)
    )


@dataclass(frozen=True, slots=True)
class TraceParent:
    """The caller's span."""

    trace_id: str
    span_id: str
    is_sampled: bool


def parse_traceparent(header: str) -> TraceParent | None:
    """Return whose work this is part of, from a `traceparent`; None where it is not well formed, as W3C asks for."""
    found = _TRACEPARENT.fullmatch(header.strip())
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    return TraceParent(found[2], found[3], bool(int(found[4], 16) & 1))


@dataclass(frozen=True, slots=True)
class TraceSampler:
    """Which work is traced: a share of what has no parent; what has one as its caller decided, or by chance too."""

    sample_rate: float
    is_parent_based: bool = True

    def should_sample(self, parent: TraceParent | None) -> bool:
        """Return whether to trace this one."""
        if parent is not None and self.is_parent_based:
            return parent.is_sampled
        return random.random() < self.sample_rate  # noqa: S311 - which are looked at is no secret


def sampler_from_environment(environment: Mapping[str, str], sample_rate: float) -> TraceSampler:
    """Return the sampler that OTEL_TRACES_SAMPLER names; without it, `share` of the work without a parent.

    Raises
    ------
    ConfigError
        When the sampler is unknown, or its share is no number from 0 to 1.
    """
    word = environment.get("OTEL_TRACES_SAMPLER", "").strip()
    if not word:
        return TraceSampler(sample_rate)
    if word not in _SAMPLERS:
        known = ", ".join(_SAMPLERS)
        raise ConfigError(f"OTEL_TRACES_SAMPLER {word!r}: accepted is one of {known}{did_you_mean(word, _SAMPLERS)}")
    heeds_parent = word.startswith("parentbased_")
    kind = word.removeprefix("parentbased_")
    if kind == "traceidratio":
        return TraceSampler(_parse_rate(environment.get("OTEL_TRACES_SAMPLER_ARG", "")), heeds_parent)
    return TraceSampler(1.0 if kind == "always_on" else 0.0, heeds_parent)


def _parse_rate(text: str) -> float:
    try:
        share = float(text or 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigError(f"OTEL_TRACES_SAMPLER_ARG {text!r}: accepted is a share from 0 to 1, such as 0.01")
    return share
