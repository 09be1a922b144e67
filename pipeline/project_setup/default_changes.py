"""Compare the default settings of two engines, as one project sees them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.config.conf_sources import BASE_CONFIG
from pipeline.config.stage_help import iter_settings
from pipeline.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.config.composition import Composition

__all__ = ["DefaultChange", "default_changes"]

_MAX_VALUE = 60
_ENGINE_PREFIX = "engine: "


@dataclass(frozen=True, slots=True)
class DefaultChange:
    """A default that differs between two engines.

    Attributes
    ----------
    key : str
        A setting, or a group whose default option changed.
    kind : {'changed', 'new', 'removed'}
    old, new
        Default of the earlier and of the later engine; None where there is none.
    description : str
        What the setting does; empty for a removed one and for an option.
    own_file : str or None
        File of the project that sets the value itself, so that the default has no effect.
    """

    key: str
    kind: Literal["changed", "new", "removed"]
    old: Any
    new: Any
    description: str
    own_file: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """Return one line with both values and the meaning."""
        values = {
            "changed": f"{_text(self.old)} -> {_text(self.new)}",
            "new": f"new, {_text(self.new)}",
            "removed": f"removed, was {_text(self.old)}",
        }
        meaning = f": {self.description}" if self.description else ""
        own = ""
        if self.own_file is not None:
            own = f"; remove it from {self.own_file}" if self.kind == "removed" else f"; {self.own_file} sets it itself"
        return f"{self.key}: {values[self.kind]}{meaning}{own}"


def default_changes(
    recorded: Mapping[str, Any], current: Mapping[str, Any], composition: Composition | None
) -> tuple[DefaultChange, ...]:
    """Return the defaults that differ for the options that a project uses, sorted by key.

    Parameters
    ----------
    recorded, current : mapping
        The defaults of the earlier and of the later engine, as `shipped_settings` returns them.
    composition : Composition, optional
        The project's settings on the later engine, which name the project's own values. None where they do not
        compose; then every option counts as the default one.
    """
    chosen = {} if composition is None else composition.choices
    own_files = {} if composition is None else dict(_own_files(composition))
    described = (
        {} if composition is None else {each.key: each.description for each in iter_settings(composition.values)}
    )
    old_options, new_options = recorded["choices"], current["choices"]
    changes = [
        _change(group, old_options, new_options, "", own_files)
        for group in sorted({*old_options, *new_options})
        if old_options.get(group) != new_options.get(group) and chosen.get(group) in (None, new_options.get(group))
    ]
    old = _values(recorded, {group: chosen.get(group, option) for group, option in old_options.items()})
    new = _values(current, {group: chosen.get(group, option) for group, option in new_options.items()})
    changes += [
        _change(key, old, new, described.get(key, ""), own_files)
        for key in sorted(old.keys() | new.keys())
        if key not in old or key not in new or old[key] != new[key]
    ]
    return tuple(changes)


def _values(defaults: Mapping[str, Any], choices: Mapping[str, str]) -> dict[str, Any]:
    """Return the default of each setting with these options."""
    values = dict(defaults["options"][BASE_CONFIG])
    for group, option in choices.items():
        values |= defaults["options"].get(f"{group}/{option}", {})
    return values


def _change(
    key: str, old: Mapping[str, Any], new: Mapping[str, Any], description: str, own_files: Mapping[str, str]
) -> DefaultChange:
    kind: Literal["changed", "new", "removed"] = (
        "changed" if key in old and key in new else "new" if key in new else "removed"
    )
    return DefaultChange(key, kind, old.get(key), new.get(key), description, own_files.get(key))


def _own_files(composition: Composition) -> Iterator[tuple[str, str]]:
    """Yield each setting that a file of the project sets, and that file."""
    for origin in composition.origin():
        if origin.file is not None and not origin.file.startswith(_ENGINE_PREFIX):
            yield origin.key, origin.file


def _text(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), _MAX_VALUE)
