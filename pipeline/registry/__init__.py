"""Register packages, decide what serves, take it back, and mirror all of it to MLflow."""

from pipeline.package.store import PackageStore
from pipeline.registry.comparing import VersionDifference, VersionDiff
from pipeline.registry.decisions import promote, register, rollback
from pipeline.registry.lineage import Lineage
from pipeline.registry.mirror import MirrorResult, mirror
from pipeline.registry.model_registry import ModelRegistry, registry_of
from pipeline.registry.then import PastDeployment

__all__ = [
    "VersionDifference",
    "Lineage",
    "MirrorResult",
    "ModelRegistry",
    "PackageStore",
    "PastDeployment",
    "VersionDiff",
    "mirror",
    "promote",
    "register",
    "registry_of",
    "rollback",
]
