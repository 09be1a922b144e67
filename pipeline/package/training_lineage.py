"""Record what a model is trained from by content, so that equal inputs give equal packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.config.composition import flatten_settings
from pipeline.extensions import load_extensions
from pipeline.files import canonical_json, sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.root_config import Config

__all__ = ["lineage_record", "training_lineage"]

_SETTINGS: Any = {
    "name": True,
    "seed": True,
    "data": {"name", "columns", "target", "split"},
    "fairness": {"metrics", "confidence_level", "min_rows", "min_class_rows", "suppress_below", "mitigation"},
    "features": True,
    "model": True,
    "training": True,
}


def training_lineage(config: Config, *, data: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lineage of a model that the graph trains.

    Parameters
    ----------
    config : Config
        The settings that training reads (those that dvc.yaml names) enter by value and as one hash. The number of
        threads is left out: it changes no result. Declared extensions enter with the hash of their module.
    data : mapping of str to str
        SHA-256 of each part of the rows.
    source : mapping
        Fingerprint of the source of the rows.
    """
    settings = config.model_dump(mode="json", include=_SETTINGS)
    del settings["training"]["n_jobs"]
    if config.extensions:
        loaded = load_extensions(config.extensions)
        settings["extensions"] = {extension.declaration: extension.sha256 for extension in loaded}
    return lineage_record(config.data.name, data, settings, seed=config.seed, source=source)


def lineage_record(
    dataset: str, data: Mapping[str, str], settings: Mapping[str, Any], *, seed: int, source: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the lineage of a model from its inputs; it holds neither a place nor a time.

    Parameters
    ----------
    dataset : str
        Name of the dataset.
    data : mapping of str to str
        SHA-256 of each part of the rows.
    settings : mapping
        Plain values.
    seed : int
    source : mapping
        Fingerprint of the source of the rows.
    """
    return {
        "data": dataset,
        "data_sha256": dict(data),
        "params_sha256": sha256(canonical_json(settings).encode()),
        "seed": seed,
        "settings": dict(flatten_settings(settings)),
        "source": dict(source),
    }
