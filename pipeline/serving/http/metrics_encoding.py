"""Encode metric families as OpenMetrics or as Prometheus text, with metrics of the release and of the process."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["EncodedMetrics", "encode_metrics"]

_PROJECT = "declarative-mlops"


class EncodedMetrics(NamedTuple):
    """The body of a response to a scrape, and its media type."""

    body: bytes
    media_type: str


def encode_metrics(families: Iterable[Any], *, model: str, accept: str = "") -> EncodedMetrics:
    """Return complete metric families in a format that the caller accepts: OpenMetrics, or Prometheus text.

    `mlops_build_info`, and the metrics `process_...` of this process, are added.

    Parameters
    ----------
    families : iterable
        Metric families of prometheus_client.
    model : str
        Name of the model, a label of `mlops_build_info`; queries join it by instance.
    accept : str
        The header `Accept` of the caller.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.core import InfoMetricFamily
    from prometheus_client.exposition import choose_encoder

    build = {"version": version(_PROJECT), "python": platform.python_version(), "model": model}
    info = InfoMetricFamily("mlops_build", "Release of the server and of Python, and the name of the model.", build)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StaticCollector([info, *families]))
    ProcessCollector(registry=registry)
    encode, media_type = choose_encoder(accept)
    return EncodedMetrics(bytes(encode(registry)), media_type)


@dataclass(slots=True, eq=False)
class _StaticCollector:
    """A prometheus_client collector of metric families that are complete."""

    families: list[Any]

    def collect(self) -> Iterable[Any]:
        return self.families
