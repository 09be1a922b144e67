"""Find the line of a file of conf/ that sets a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["setting_lines"]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def setting_lines(text: str, keys: Iterable[str]) -> dict[str, int]:
    r"""Return the line, from 1, of each key that a file sets.

    The file may set the key below the path of its group: `folds` for `training.folds`. A key that the file only sets
    as a part of a longer value has the line of that value.

    Parameters
    ----------
    text : str
        A file of conf/, valid YAML.
    keys : iterable of str
        Key paths of the composed settings.

    Examples
    --------
    >>> setting_lines("folds: 5\nthreshold: {rule: fixed}", ["training.folds", "training.threshold.rule"])
    {'training.folds': 1, 'training.threshold.rule': 2}
    """
    root = yaml.compose(text, Loader=_LOADER)
    lines = ((key, _line(root, key.split("."))) for key in keys)
    return {key: line for key, line in lines if line is not None}


def _line(root: Any, parts: list[str]) -> int | None:
    """Return the line of the longest match of a path, where the first parts may be the group of the file."""
    matches = [(n, line) for start in range(len(parts)) for n, line in [_walk(root, parts[start:])] if n]
    return max(matches, key=lambda match: match[0])[1] if matches else None


def _walk(node: Any, parts: list[str]) -> tuple[int, int]:
    """Return how many parts the node has, and the line of the last of them."""
    n, line = 0, 0
    for part in parts:
        found = next(((key, value) for key, value in _pairs(node) if key.value == part), None)
        if found is None:
            break
        n, line, node = n + 1, found[0].start_mark.line + 1, found[1]
    return n, line


def _pairs(node: Any) -> list[tuple[Any, Any]]:
    """Return keys and values of a mapping, or of all mappings of a list, such as the defaults of Hydra."""
    if isinstance(node, yaml.SequenceNode):
        return [pair for item in node.value if isinstance(item, yaml.MappingNode) for pair in item.value]
    return list(node.value) if isinstance(node, yaml.MappingNode) else []
