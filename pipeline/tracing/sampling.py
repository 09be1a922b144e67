"""Decide in less than a microsecond whether something is traced: by the caller's word, or by chance."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Parent", "Sampler", "is_on", "parent_of", "sampler_of"]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
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


def is_on(environment: Mapping[str, str]) -> bool:
    """Return whether the standard variables ask for traces: an exporter is named, or the address of a collector."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    return exporter != "none" and (exporter != "" or any(environment.get(name, "").strip() for name in _ENDPOINTS))


@dataclass(frozen=True, slots=True)
class Parent:
    """The caller's span."""

    trace_id: str
    span_id: str
    is_sampled: bool


def parent_of(word: str) -> Parent | None:
    """Return whose work this is part of, from a `traceparent`; None where it is not well formed, as W3C asks for."""
    found = _TRACEPARENT.fullmatch(word.strip())
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    return Parent(found[2], found[3], bool(int(found[4], 16) & 1))


@dataclass(frozen=True, slots=True)
class Sampler:
    """Which work is traced: a share of what has no parent; what has one as its caller decided, or by chance too."""

    share: float
    heeds_parent: bool = True

    def wants(self, parent: Parent | None) -> bool:
        """Return whether to trace this one."""
        if parent is not None and self.heeds_parent:
            return parent.is_sampled
        return random.random() < self.share  # noqa: S311 - which are looked at is no secret


def sampler_of(environment: Mapping[str, str], share: float) -> Sampler:
    """Return the sampler that OTEL_TRACES_SAMPLER names; without it, `share` of the work without a parent.

    Raises
    ------
    ConfigError
        When the sampler is unknown, or its share is no number from 0 to 1.
    """
    word = environment.get("OTEL_TRACES_SAMPLER", "").strip()
    if not word:
        return Sampler(share)
    if word not in _SAMPLERS:
        known = ", ".join(_SAMPLERS)
        raise ConfigError(f"OTEL_TRACES_SAMPLER {word!r}: accepted is one of {known}{did_you_mean(word, _SAMPLERS)}")
    heeds_parent = word.startswith("parentbased_")
    kind = word.removeprefix("parentbased_")
    if kind == "traceidratio":
        return Sampler(_share(environment.get("OTEL_TRACES_SAMPLER_ARG", "")), heeds_parent)
    return Sampler(1.0 if kind == "always_on" else 0.0, heeds_parent)


def _share(word: str) -> float:
    try:
        share = float(word or 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ConfigError(f"OTEL_TRACES_SAMPLER_ARG {word!r}: accepted is a share from 0 to 1, such as 0.01")
    return share
