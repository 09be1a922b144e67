"""Register packages, decide what serves, take it back, and mirror all of it to MLflow."""

from pipeline.package.store import PackageStore
from pipeline.registry.comparing import Difference, VersionDiff
from pipeline.registry.decisions import promote, register, rollback
from pipeline.registry.lineage import Lineage
from pipeline.registry.mirror import Mirrored, mirror
from pipeline.registry.model_registry import ModelRegistry, registry_of
from pipeline.registry.then import ServedThen

__all__ = [
    "Difference",
    "Lineage",
    "Mirrored",
    "ModelRegistry",
    "PackageStore",
    "ServedThen",
    "VersionDiff",
    "mirror",
    "promote",
    "register",
    "registry_of",
    "rollback",
]
