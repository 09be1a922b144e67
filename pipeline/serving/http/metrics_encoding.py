"""Encode metric families, labeled with the model, as OpenMetrics or as Prometheus text."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.project.stage_digests import engine_version

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["EncodedMetrics", "encode_metrics"]


class EncodedMetrics(NamedTuple):
    """The body of a response to a scrape, and its media type."""

    body: bytes
    media_type: str


def encode_metrics(families: Iterable[Any], *, model: str, accept: str = "") -> EncodedMetrics:
    """Return complete metric families in a format that the caller accepts: OpenMetrics, or Prometheus text.

    Each sample gets the label `model`, so that two models in one Prometheus do not mix. A process serves one model, so
    the label adds no series. `mlops_build_info`, and the metrics `process_...` of this process, are added.

    Parameters
    ----------
    families : iterable
        Metric families of prometheus_client.
    model : str
        Name of the model.
    accept : str
        The header `Accept` of the caller.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.core import InfoMetricFamily
    from prometheus_client.exposition import choose_encoder

    build = {"version": engine_version(), "python": platform.python_version()}
    info = InfoMetricFamily("mlops_build", "Release of the server and of Python, and the name of the model.", build)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StaticCollector([_with_model_label(family, model) for family in (info, *families)]))
    ProcessCollector(registry=registry)
    encode, media_type = choose_encoder(accept)
    return EncodedMetrics(bytes(encode(registry)), media_type)


def _with_model_label(family: Any, model: str) -> Any:
    from prometheus_client import Metric

    labeled = Metric(family.name, family.documentation, family.type)
    labeled.samples = [sample._replace(labels={**sample.labels, "model": model}) for sample in family.samples]
    return labeled


@dataclass(slots=True, eq=False)
class _StaticCollector:
    """A prometheus_client collector of metric families that are complete."""

    families: list[Any]

    def collect(self) -> Iterable[Any]:
        return self.families
