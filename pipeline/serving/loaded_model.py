"""One version that serves: its package, how its bodies are read, how its rows are scored; never changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pipeline.serving.rows.json_rows import RowParser
from pipeline.serving.scorer import RowScorer

if TYPE_CHECKING:
    from pipeline.config.groups.serving_config import EngineConfig
    from pipeline.package import Package, PackageStore, Reference
    from pipeline.schema import Schema

__all__ = ["LoadedModel", "ServedBy", "load_model"]

ServedBy = Literal["champion", "last_good", "rule"]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What answers: a request takes one at its start and keeps it to its end.

    `about` has the members of an answer that name this bundle, as JSON without the braces around it.
    """

    name: str
    version: int
    digest: str
    generation: int
    served_by: ServedBy
    package: Package
    parser: RowParser
    scorer: RowScorer
    response_suffix: str = field(init=False)

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
        """Write once what every answer says of the bundle."""
        told = {
            "model_name": self.name,
            "model_version": self.version,
            "model_digest": self.digest,
            "generation": self.generation,
            "served_by": self.served_by,
        }
        object.__setattr__(self, "about", json.dumps(told, ensure_ascii=False, separators=(",", ":"))[1:-1])


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
    """Return the bundle of a registered version: digests, types and golden rows were found right.

    With `served_by="rule"` it is the rule baseline of its package, for which the model's files are not looked at.

    Raises
    ------
    IntegrityError
        When the package is damaged, missing, or answers otherwise than when it was packaged.
    """
    package = packages.load_rule_baseline(digest) if served_by == "rule" else packages.load(digest)
    codec = RowParser(package.schema, max_rows=config.max_rows)
    scorer = RowScorer(package, many_missing=config.many_missing, hash_key=hash_key, cached_rows=config.cached_rows)
    return LoadedModel(model, version, digest, generation, served_by, package, codec, scorer)
