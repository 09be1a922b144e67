"""Register packages, decide what serves, take it back, and mirror all of it to MLflow."""

from pipeline.package.store import PackageStore
from pipeline.registry.decisions import promote, register, rollback
from pipeline.registry.mirror import Mirrored, mirror
from pipeline.registry.model_registry import ModelRegistry, registry_of

__all__ = ["Mirrored", "ModelRegistry", "PackageStore", "mirror", "promote", "register", "registry_of", "rollback"]
