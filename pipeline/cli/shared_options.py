"""Options that several command groups share, and the lookups behind them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.registry import ModelRegistry
    from pipeline.state import State

__all__ = [
    "AsJson",
    "ModelFilter",
    "ModelOption",
    "ReasonOption",
    "open_registry",
    "open_state",
    "parse_timestamp",
    "resolve_model",
]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ModelFilter = Annotated[str | None, typer.Option("--model", help="Name of the model; all models by default.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", help="Name of the model; by default the one in params.yaml.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Reason, recorded in the audit trail.")]


def open_registry() -> ModelRegistry:
    """Return the registry that the settings describe."""
    from pipeline.config.config_loader import load_params
    from pipeline.registry import open_model_registry

    return open_model_registry(load_params().tracking)


@contextmanager
def open_state(root: Path | None = None) -> Iterator[State]:
    """Yield the state database of the project at `root`, by default the one around the current folder."""
    from pipeline import state as store
    from pipeline.project.root import find_project_root

    state = store.open_state(find_project_root() if root is None else root)
    try:
        yield state
    finally:
        state.close()


def resolve_model(registry: ModelRegistry, name: str | None) -> str:
    """Return the name of a registered model: `name`, or that of params.yaml when `name` is None.

    Raises
    ------
    UsageError
        When the registry has no version of it.
    """
    from pipeline import state as store
    from pipeline.config.config_loader import load_params

    model = load_params().name if name is None else name
    models = sorted({version.model for version in registry.list_models()})
    if model in models:
        return model
    if name is not None and models:
        raise UsageError(f"--model {name}: no such model; registered: {', '.join(models)}")
    registered = f" (of other models: {', '.join(models)}; name one with --model)" if models else ""
    raise UsageError(f"{model}: no version is registered{registered}; {store.register_hint()}")


def parse_timestamp(text: str, *, option: str) -> int:
    """Return microseconds since 1970 of an ISO 8601 timestamp; UTC unless the text has an offset.

    Raises
    ------
    UsageError
        When `text` is not such a timestamp, or not of the years 1971 to 9998.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: expected ISO 8601, such as 2026-03-01T12:00:00Z") from error
    if not 1970 < moment.year < 9999:
        raise UsageError(f"{option} {text!r}: expected a year from 1971 to 9998")
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1_000_000)
