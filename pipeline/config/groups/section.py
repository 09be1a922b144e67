"""The base class and field types of all configuration groups."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Positive", "Section", "Share", "setting"]


class Section(BaseModel):
    """A frozen part of the configuration; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]


def setting(description: str, *, unit: str | None = None, **bounds: Any) -> Any:
    """Return a Pydantic field with the description and unit that `--help` prints; conf/ holds the default.

    `bounds` are Pydantic's own: `ge`, `gt`, `le`, `lt`, `min_length`, and `default` for optional keys.
    """
    extra: dict[str, Any] | None = {"unit": unit} if unit is not None else None
    return Field(description=description, json_schema_extra=extra, **bounds)
