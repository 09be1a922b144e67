"""One model version in memory: its package, its parser and its scorer; it never changes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipeline.serving.rows.row_parser import RowParser
from pipeline.serving.scorer import RowScorer

if TYPE_CHECKING:
    from pipeline.config.groups.serving_config import EngineConfig
    from pipeline.package import Package, PackageStore, Reference
    from pipeline.schema import Schema
    from pipeline.serving.prediction_types import Variant

__all__ = ["LoadedModel", "ServedBy", "load_model"]

ServedBy = Literal["production", "last_good", "rule"]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model version that predicts; a request uses the same one from its start to its end.

    `response_suffix` holds the members of a response that name the model, as JSON without the surrounding braces.
    """

    name: str
    version: int
    digest: str
    generation: int
    served_by: ServedBy
    package: Package
    parser: RowParser
    scorer: RowScorer
    variant: Variant = "champion"
    response_suffix: str = field(init=False)

    @property
    def identity(self) -> dict[str, Any]:
        """Version, digest, generation and source of the model, as plain values."""
        return {
            "version": self.version,
            "digest": self.digest,
            "generation": self.generation,
            "served_by": self.served_by,
        }

    @property
    def schema(self) -> Schema:
        """The declared columns."""
        return self.package.schema

    @property
    def reference(self) -> Reference:
        """The training rows, counted in bins."""
        return self.package.reference

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the probabilities."""
        return self.package.classes

    def __post_init__(self) -> None:
        """Encode the members that every response has in common."""
        members = {
            "model_name": self.name,
            "model_version": self.version,
            "model_digest": self.digest,
            "generation": self.generation,
            "served_by": self.served_by,
            "variant": self.variant,
        }
        object.__setattr__(
            self, "response_suffix", json.dumps(members, ensure_ascii=False, separators=(",", ":"))[1:-1]
        )


def load_model(
    packages: PackageStore,
    *,
    model: str,
    version: int,
    digest: str,
    generation: int,
    served_by: ServedBy,
    config: EngineConfig,
    hash_key: bytes,
) -> LoadedModel:
    """Load a registered version whose digests, types and golden rows are correct.

    With `served_by="rule"` it is the rule baseline of the package, for which the files of the model are not read.

    Raises
    ------
    IntegrityError
        When the package is damaged or missing, or predicts otherwise than when it was packaged.
    """
    package = packages.load_rule_baseline(digest) if served_by == "rule" else packages.load(digest)
    parser = RowParser(package.schema, max_rows=config.max_rows)
    scorer = RowScorer(
        package, many_missing=config.missing_share_warning, hash_key=hash_key, cached_rows=config.prediction_cache_rows
    )
    return LoadedModel(model, version, digest, generation, served_by, package, parser, scorer)
