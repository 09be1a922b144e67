"""Merge two sets of changes of one tree in place: those of a team and those of the engine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipeline.text import shorten

__all__ = ["MergeConflict", "merge_trees"]

_MISSING = object()
_MAX_VALUE = 120


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """A value that the team and the engine changed in different ways."""

    place: str
    own: Any
    engine: Any

    def __str__(self) -> str:
        """Return one line with both values."""
        return f"dvc.yaml: {self.place}: you have {_text(self.own)}, the engine now has {_text(self.engine)}"


def merge_trees(own: dict[str, Any], base: dict[str, Any], new: dict[str, Any]) -> list[MergeConflict]:
    """Change `own` in place by what differs between `base` and `new`, and return what cannot be merged.

    A list is a set of items, so items that a team adds or removes and items that the engine adds or removes combine. An
    item with one key, as DVC writes outputs with options, is the entry of that key.

    Parameters
    ----------
    own, base, new : dict
        The tree of the team, the tree that the engine gave earlier, and the tree that it gives now.
    """
    return _merge_mapping(own, base, new, "")


def _merge_mapping(own: Any, base: Any, new: Any, place: str) -> list[MergeConflict]:
    conflicts: list[MergeConflict] = []
    for key in dict.fromkeys([*new, *base]):
        path = f"{place}.{key}" if place else str(key)
        mine, before, after = own.get(key, _MISSING), base.get(key, _MISSING), new.get(key, _MISSING)
        if after in (before, mine):
            continue
        if mine == before and not _are(dict, mine, after):
            _set(own, key, after)
        elif _are(dict, mine, after):
            conflicts += _merge_mapping(mine, before if isinstance(before, dict) else {}, after, path)
        elif _are(list, mine, after):
            conflicts += _merge_list(mine, before, after, path)
        else:
            conflicts.append(MergeConflict(path, mine, after))
    return conflicts


def _merge_list(own: list[Any], base: Any, new: list[Any], place: str) -> list[MergeConflict]:
    before = base if isinstance(base, list) else []
    if not all(_has_entries(items) for items in (own, before, new)):
        return [MergeConflict(place, own, new)]
    entries = _entries(own)
    conflicts = _merge_mapping(entries, _entries(before), _entries(new), place)
    if not conflicts:
        _replace_items(own, entries)
    return conflicts


def _replace_items(own: list[Any], entries: dict[Any, Any]) -> None:
    """Write `entries` into a list, item by item, so that comments of other items stay where they are."""
    for index in reversed(range(len(own))):
        name, _ = _entry(own[index])
        if name not in entries:
            del own[index]
        else:
            own[index] = _item(name, entries[name])
    names = {_entry(item)[0] for item in own}
    for name, value in entries.items():
        if name not in names:
            # The empty line after a block belongs to the last item.
            own.insert(max(len(own) - 1, 0), _item(name, value))


def _has_entries(items: list[Any]) -> bool:
    """Whether each item is a text or a mapping with one key, and has a name of its own."""
    is_named = all(isinstance(item, str) or (isinstance(item, dict) and len(item) == 1) for item in items)
    return is_named and len(_entries(items)) == len(items)


def _entries(items: list[Any]) -> dict[Any, Any]:
    return dict(_entry(item) for item in items)


def _entry(item: Any) -> tuple[Any, Any]:
    """Return name and value of an item: a text has no value, a mapping with one key has one."""
    return next(iter(item.items())) if isinstance(item, dict) else (item, None)


def _item(name: Any, value: Any) -> Any:
    return name if value is None else {name: value}


def _set(own: dict[Any, Any], key: Any, value: Any) -> None:
    if value is _MISSING:
        del own[key]
    else:
        own[key] = value


def _are(kind: type, *values: Any) -> bool:
    return all(isinstance(value, kind) for value in values)


def _text(value: Any) -> str:
    return "nothing" if value is _MISSING else shorten(json.dumps(value, ensure_ascii=False), _MAX_VALUE)
