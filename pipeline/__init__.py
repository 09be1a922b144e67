"""An MLOps engine for tabular classification in which everything is declared in YAML.

The public classes are imported when they are first named, so that `import pipeline` stays fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.lifecycle import MLOpsPipeline
    from pipeline.monitoring import ModelMonitor
    from pipeline.registry import ModelRegistry
    from pipeline.serving.model_server import ModelServer
    from pipeline.tracking import ExperimentTracker
    from pipeline.validation import DataValidator

__all__ = ["DataValidator", "ExperimentTracker", "MLOpsPipeline", "ModelMonitor", "ModelRegistry", "ModelServer"]

_MODULES = {
    "DataValidator": "pipeline.validation",
    "ExperimentTracker": "pipeline.tracking",
    "MLOpsPipeline": "pipeline.lifecycle",
    "ModelMonitor": "pipeline.monitoring",
    "ModelRegistry": "pipeline.registry",
    "ModelServer": "pipeline.serving.model_server",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
