"""What commands about registered models share: the registry, its one model, and how a moment is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.registry import ModelRegistry

__all__ = ["AsJson", "ModelOption", "open_registry", "resolve_model"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ModelOption = Annotated[str | None, typer.Option("--name", help="The model; needed when there is more than one.")]


def open_registry() -> ModelRegistry:
    """Return the registry that the settings describe."""
    from pipeline.config.config_loader import load_params
    from pipeline.registry import registry_of

    return registry_of(load_params().tracking)


def resolve_model(registry: ModelRegistry, name: str | None) -> str:
    """Return `name`, or the one model that there is.

    Raises
    ------
    UsageError
        When there is no such model, or several and none is named.
    """
    known = sorted({version.model for version in registry.list_models()})
    if name is not None:
        if name not in known:
            raise UsageError(f"--name {name}: no such model; registered: {', '.join(known) or 'none'}")
        return name
    if len(known) != 1:
        raise UsageError(f"--name is needed; registered models: {', '.join(known) or 'none; run `dvc repro`'}")
    return known[0]
