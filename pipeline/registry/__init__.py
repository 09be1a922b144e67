"""Register packages, promote and roll back versions, and mirror the decisions to MLflow."""

from pipeline.package.package_store import PackageStore
from pipeline.registry.deployment_history import PastDeployment
from pipeline.registry.lineage import Lineage
from pipeline.registry.mlflow_mirror import MirrorResult, mirror_to_mlflow
from pipeline.registry.model_registry import ModelRegistry, open_model_registry
from pipeline.registry.stage_transitions import (
    find_previous_production,
    promote_version,
    register_package,
    roll_back_version,
)

__all__ = [
    "Lineage",
    "MirrorResult",
    "ModelRegistry",
    "PackageStore",
    "PastDeployment",
    "find_previous_production",
    "mirror_to_mlflow",
    "open_model_registry",
    "promote_version",
    "register_package",
    "roll_back_version",
]
