"""Register packages, promote and roll back versions, and mirror the decisions to MLflow."""

from pipeline.package.package_store import PackageStore
from pipeline.registry.comparison import VersionDiff, VersionDifference
from pipeline.registry.deployment_history import PastDeployment
from pipeline.registry.lineage import Lineage
from pipeline.registry.mlflow_mirror import MirrorResult, mirror
from pipeline.registry.model_registry import ModelRegistry, registry_of
from pipeline.registry.stage_transitions import promote, register, rollback

__all__ = [
    "Lineage",
    "MirrorResult",
    "ModelRegistry",
    "PackageStore",
    "PastDeployment",
    "VersionDiff",
    "VersionDifference",
    "mirror",
    "promote",
    "register",
    "registry_of",
    "rollback",
]
