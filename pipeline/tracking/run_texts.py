"""Write names, parameters and tags in the forms that MLflow accepts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pipeline.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["clean_name", "param_texts", "tag_texts"]

_MAX_NAME_LENGTH = 250
_MAX_PARAM_LENGTH = 6000
_MAX_TAG_LENGTH = 8000
_FORBIDDEN_CHARACTERS = re.compile(r"[^\w\-. /:]")


def clean_name(key: object) -> str:
    """Return the name with characters that MLflow rejects replaced by underscores."""
    return _FORBIDDEN_CHARACTERS.sub("_", str(key))[:_MAX_NAME_LENGTH]


def param_texts(params: Mapping[str, object]) -> dict[str, str]:
    """Return the texts of parameters; nested ones get names such as `model.max_iter`."""
    return {clean_name(key): _param_text(value) for key, value in _flatten(params)}


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _param_text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return shorten(text, _MAX_PARAM_LENGTH)


def tag_texts(tags: Mapping[str, object] | None) -> dict[str, str]:
    """Return the texts of tags, cut to the length that MLflow stores."""
    return {clean_name(key): str(value)[:_MAX_TAG_LENGTH] for key, value in (tags or {}).items()}
