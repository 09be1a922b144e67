"""What every section of the configuration has in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Positive", "Section", "Share", "setting"]


class Section(BaseModel):
    """A frozen part of the configuration that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]


def setting(description: str, *, unit: str | None = None, **bounds: Any) -> Any:
    """Return a Pydantic field with what `--help` says of it; the default stands in conf/, not here.

    `bounds` are Pydantic's own: `ge`, `gt`, `le`, `lt`, `min_length`, `default` for keys that a
    person may leave out.
    """
    extra: dict[str, Any] | None = {"unit": unit} if unit is not None else None
    return Field(description=description, json_schema_extra=extra, **bounds)
