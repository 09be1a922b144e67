"""The result of one check of the project."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

__all__ = ["Diagnosis"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check; a `problem` keeps the project from working, the other states do not."""

    check: str
    state: Literal["ok", "repaired", "unknown", "warning", "problem"]
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)
