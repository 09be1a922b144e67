"""Extensions: a team's own metrics, checks, splitters, estimators and receivers, declared in conf/ and loaded here."""

from pipeline.extensions.extension_calls import call_extension
from pipeline.extensions.extension_loader import (
    Extension,
    estimator_packages,
    load_extensions,
    loaded_extensions,
    resolve_extension,
)

__all__ = [
    "Extension",
    "call_extension",
    "estimator_packages",
    "load_extensions",
    "loaded_extensions",
    "resolve_extension",
]
