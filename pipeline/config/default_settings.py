"""Compare the settings of a project with the defaults that the engine ships.

A project may edit a copy of the engine's files, so its values cannot show what a user changed. `default_settings.json`
has the values of every option of every group as shipped, without `data/`, which each project declares. `python -m
pipeline.config.default_settings` writes it from the conf/ of a checkout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import files
from pipeline.config.composition import flatten_settings
from pipeline.config.conf_sources import BASE_CONFIG, ROOT_CONFIG
from pipeline.config.strict_yaml import read_yaml
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config.composition import Composition

__all__ = ["ChangedDefault", "changed_defaults", "engine_defaults", "main", "shipped_settings"]

_DEFAULTS_FILE = Path(__file__).with_name("default_settings.json")
# They have no default: a project declares its data, and a name selects each of the others.
_UNCOMPARED = ("data", "hydra", "experiment", "hparams_search", "scenario")
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")


@dataclass(frozen=True, slots=True)
class ChangedDefault:
    """A setting that differs from the engine's default; a `default` of None may be a value, or no default."""

    key: str
    value: Any
    default: Any
    has_default: bool


def shipped_settings(conf: Path) -> dict[str, Any]:
    """Return the option of each group (`choices`) and the values of each option (`options`), as conf/ has them."""
    base, project = (read_yaml(conf / f"{name}.yaml") for name in (BASE_CONFIG, ROOT_CONFIG))
    choices = {
        group: option
        for entry in [*project["defaults"], *base["defaults"]]
        if isinstance(entry, dict)
        for group, option in entry.items()
        if not group.startswith("optional ") and group not in _UNCOMPARED
    }
    options = {
        f"{group}/{path.stem}": _option_values(path, group)
        for group in choices
        for path in sorted((conf / group).glob("*.yaml"))
    }
    own = {key: value for key, value in base.items() if key != "defaults"}
    return {"choices": choices, "options": {BASE_CONFIG: dict(flatten_settings(own)), **options}}


def _option_values(path: Path, group: str) -> dict[str, Any]:
    values = {key: value for key, value in (read_yaml(path) or {}).items() if key != "defaults"}
    return dict(flatten_settings(values, f"{group}."))


@lru_cache(maxsize=1)
def engine_defaults() -> dict[str, Any]:
    """Return the recorded defaults, as `shipped_settings` returns those of conf/."""
    defaults: dict[str, Any] = files.read_json(_DEFAULTS_FILE)
    return defaults


def changed_defaults(composition: Composition) -> list[ChangedDefault]:
    """Return the settings that differ from the defaults of the chosen options, and other options than the default.

    An option of the project's own has no defaults, so each of its values is listed. Settings of `data/` are left out.
    """
    defaults = engine_defaults()
    chosen = {group: composition.choices.get(group, "") for group in defaults["choices"]}
    changed = [
        ChangedDefault(group, option, defaults["choices"][group], has_default=True)
        for group, option in chosen.items()
        if option != defaults["choices"][group]
    ]
    known: dict[str, Any] = dict(defaults["options"][BASE_CONFIG])
    for group, option in chosen.items():
        known |= defaults["options"].get(f"{group}/{option}", {})
    values = dict(flatten_settings(composition.values))
    for key, value in values.items():
        if key.partition(".")[0] in _UNCOMPARED:
            continue
        if key not in known:
            changed.append(ChangedDefault(key, value, None, has_default=False))
        elif value != (default := _resolve(known[key], values)):
            changed.append(ChangedDefault(key, value, default, has_default=True))
    return changed


def _resolve(default: Any, values: Mapping[str, Any]) -> Any:
    """Return a default with its references to other settings replaced by their values."""
    if not isinstance(default, str):
        return default
    whole = _REFERENCE.fullmatch(default)
    if whole is not None:
        return values.get(whole[1])
    return _REFERENCE.sub(lambda match: str(values.get(match[1])), default)


def main() -> None:
    """Write the defaults of conf/ in the current folder."""
    files.write_json(_DEFAULTS_FILE, shipped_settings(paths.CONF))


if __name__ == "__main__":
    main()
