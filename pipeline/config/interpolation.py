"""Check that interpolations end, have a target, stay short and do not read the machine.

`params.yaml` must be the same on every machine at any time. So `${oc.env:X}`, `${now:...}` and other
resolvers are errors outside of the `hydra` node; `${other.key}` is accepted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["check_interpolations"]

_MAX_CHARACTERS = 10_000
_OPENING = re.compile(r"(?<!\\)\$\{")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\}")


def check_interpolations(values: Mapping[str, Any]) -> None:
    """Follow every `${key}` in unresolved `values`, before OmegaConf resolves it.

    Raises
    ------
    ConfigError
        Naming the key path of a resolver, a missing or non-scalar target, a cycle, or a result of more than
        10,000 characters.
    """
    known: dict[str, int] = {}
    for path, value in _interpolated_texts(values, ()):
        _resolved_length(".".join(path), value, values, known, ())


def _interpolated_texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _interpolated_texts(member, (*path, str(key)))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _interpolated_texts(member, (*path, str(index)))
    elif isinstance(value, str) and _OPENING.search(value):
        yield path, value


def _resolved_length(
    where: str, text: Any, values: Mapping[str, Any], known: dict[str, int], parents: tuple[str, ...]
) -> int:
    """Return the number of characters of the resolved `text`."""
    if where in known:
        return known[where]
    if where in parents:
        raise ConfigError(f"{where}: refers to itself: {' -> '.join((*parents, where))}")
    if not isinstance(text, str):
        return len(str(text))
    references = _REFERENCE.findall(text)
    if len(references) != len(_OPENING.findall(text)):
        raise ConfigError(
            f"{where}: {text!r} is not used here; accepted: ${{other.key}}, the full path of a plain value"
        )
    size = len(text)
    for reference in references:
        size += _resolved_length(
            reference, _referenced_value(where, reference, values), values, known, (*parents, where)
        )
    if size > _MAX_CHARACTERS:
        raise ConfigError(f"{where}: would have more than {_MAX_CHARACTERS:,} characters once it is resolved")
    known[where] = size
    return size


def _referenced_value(where: str, reference: str, values: Mapping[str, Any]) -> Any:
    value: Any = values
    for key in reference.split("."):
        if not isinstance(value, dict) or key not in value:
            raise ConfigError(f"{where}: ${{{reference}}} refers to a key that does not exist")
        value = value[key]
    if isinstance(value, dict | list):
        raise ConfigError(f"{where}: ${{{reference}}} refers to a whole section; refer to one plain value")
    return value
