"""Say what a page shows of a window: how many predictions, of which classes, how sure and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import state as store
from pipeline.monitoring.layout import ANSWERS, OUTCOMES, UNCOUNTED, Layout, latency_quantile
from pipeline.monitoring.values import moment, window_words
from pipeline.monitoring.windows import window_hours, window_tallies

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.monitoring.windows import Window
    from pipeline.package import Package
    from pipeline.state import State

__all__ = ["traffic_of"]

_PERCENTILES = (50, 95, 99)


def traffic_of(state: State, model: str, window: Window, packages: Callable[[str], Package | None]) -> dict[str, Any]:
    """Return plain values about all predictions of a window, whatever their version; latencies within 2.5 %."""
    answers = window_tallies(state, model, window, ANSWERS, packages)
    uncounted = window_tallies(state, model, window, UNCOUNTED, packages)
    known = window_tallies(state, model, window, OUTCOMES, packages)
    with state.reading() as connection:
        versions = {one.digest: str(one.version) for one in store.all_versions(connection, model)}
    by_class: dict[str, int] = {}
    by_version: dict[str, int] = {}
    by_variant: dict[str, int] = {}
    latency = None
    for (digest, variant), tally in [*answers.items(), *uncounted.items()]:
        version = versions.get(digest, digest[:12])
        by_version[version] = by_version.get(version, 0) + tally.n_rows
        by_variant[variant] = by_variant.get(variant, 0) + tally.n_rows
        package = packages(digest)
        if package is None or not len(tally.counts):
            continue
        said = Layout(package).split(ANSWERS, tally.counts)
        latency = said["latency"] if latency is None else latency + said["latency"]
        for name, n in zip(package.classes, said["class"].tolist(), strict=False):
            by_class[name] = by_class.get(name, 0) + n
    everything = [*answers.values(), *uncounted.values()]
    total = sum(one.n_rows for one in everything)
    spent = latency if latency is not None else np.zeros(0, dtype=np.int64)
    quantiles = {str(q): latency_quantile(spent, q / 100) for q in _PERCENTILES}
    return {
        "total_predictions": total,
        "average_confidence": sum(one.total for one in everything) / total if total else None,
        "predictions_by_class": {name: n for name, n in sorted(by_class.items()) if n},
        "predictions_by_hour": [{"at": moment(at), "n": n} for at, n in window_hours(state, model, window).items()],
        "predictions_by_version": dict(sorted(by_version.items())),
        "predictions_by_variant": dict(sorted(by_variant.items())),
        "n_outcomes": sum(one.n_rows for one in known.values()),
        "latency_ms": {q: one for q, one in quantiles.items() if one is not None},
        "window": window_words(window.since, window.until),
    }
