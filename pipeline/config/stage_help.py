"""The help page of a stage: groups with options, settings with default, type, unit and description."""

from __future__ import annotations

import json
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from pipeline.config.composition import compose, group_options
from pipeline.config.root_config import Config
from pipeline.project import paths
from pipeline.project.engine_files import stage_command
from pipeline.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic.fields import FieldInfo

__all__ = ["SettingHelp", "find_setting", "iter_settings", "stage_help"]

_USAGE = """\
{command} [GROUP=OPTION ...] [KEY=VALUE ...] [-m]

  GROUP=OPTION   choose another file of conf/GROUP/
  KEY=VALUE      change one setting
  -m             sweep: all combinations of comma-separated values
  --cfg job      print the composed settings and end; -p KEY prints a part of them
  --info WHAT    print how they are composed: defaults, defaults-tree, searchpath, plugins, config or all
  --hydra-help   print the flags of Hydra; --version prints its version
{note}
Edit conf/ for lasting changes; use `dvc exp run -S KEY=VALUE` for experiments.
"""
_NOTE_TRAIN = "\nA manual call cross-validates and tracks a run; it leaves the outputs of `dvc repro` unchanged.\n"
_MAX_VALUE = 60
_TYPE_NAMES: dict[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    types.NoneType: "null",
    Any: "any value",
}


class SettingHelp(BaseModel):
    """One setting as the help page shows it."""

    key: str
    value: Any
    type: str
    unit: str | None
    description: str


def stage_help(name: str, *, conf: Path = paths.CONF) -> str:
    """Return the help page of stage `name`.

    Raises
    ------
    ConfigError
        When conf/ does not compose.
    """
    groups = group_options(conf)
    composition = compose(conf=conf)
    lines = [
        _USAGE.format(command=stage_command(name), note=_NOTE_TRAIN if name == "train" else ""),
        "Groups (the option in use is marked *)",
    ]
    for group, options in groups.items():
        chosen = composition.choices.get(group)
        lines.append(
            f"  {group + ':':<16}{', '.join(f'{option}*' if option == chosen else option for option in options)}"
        )
    lines += ["", "Settings"]
    previous = ""
    for setting in iter_settings(composition.values):
        group = setting.key.partition(".")[0]
        if group != previous and "." in setting.key:
            lines.append(f"\n  {group}: {_first_sentence(Config.model_fields[group])}")
        previous = group
        unit = f", {setting.unit}" if setting.unit is not None else ""
        lines.append(f"  {setting.key} = {_shorten_json(setting.value)}  ({setting.type}{unit})")
        if setting.description:
            lines.append(f"      {setting.description}")
    return "\n".join(lines) + "\n"


def iter_settings(values: Mapping[str, Any]) -> Iterator[SettingHelp]:
    """Yield every setting of a composed tree in declared order; of a mapping, only the first entry."""
    yield from _model_settings(Config, values, "")


def find_setting(key: str, values: Mapping[str, Any]) -> SettingHelp | None:
    """Return one setting of a composed tree; None if its key is unknown."""
    return next((setting for setting in iter_settings(values) if setting.key == key), None)


def _model_settings(model: type[BaseModel], values: Mapping[str, Any], prefix: str) -> Iterator[SettingHelp]:
    for name, field in model.model_fields.items():
        value = values.get(name, None if field.is_required() else field.default)
        yield from _field_settings(f"{prefix}{name}", field, value)


def _field_settings(key: str, field: FieldInfo, value: Any) -> Iterator[SettingHelp]:
    chosen = _matching_model(field.annotation, value)
    members = _mapping_value_model(field.annotation)
    if chosen is not None and isinstance(value, dict):
        yield from _model_settings(chosen, value, f"{key}.")
    elif members is not None and isinstance(value, dict) and value:
        first = next(iter(value))
        yield from _model_settings(members, value[first], f"{key}.{first}.")
        if len(value) > 1:
            others = ", ".join(list(value)[1:])
            yield SettingHelp(
                key=f"{key}.*",
                value=f"{len(value)} entries",
                type="each as above",
                unit=None,
                description=f"also {others}",
            )
    else:
        extra = field.json_schema_extra
        unit = extra.get("unit") if isinstance(extra, dict) else None
        yield SettingHelp(
            key=key,
            value=value,
            type=_type_name(field.annotation) + _bounds_text(field),
            unit=str(unit) if unit is not None else None,
            description=field.description or "",
        )


def _matching_model(annotation: Any, value: Any) -> type[BaseModel] | None:
    """Return the model of `value`; in a union, the one with the `kind` of `value`."""
    models = _model_types(annotation)
    if len(models) < 2 or not isinstance(value, dict):
        return models[0] if models else None
    return next(
        (model for model in models if value.get("kind") in get_args(model.model_fields["kind"].annotation)), None
    )


def _model_types(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return [model for argument in get_args(annotation) for model in _model_types(argument)]
    return []


def _mapping_value_model(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) is dict:
        models = _model_types(get_args(annotation)[1])
        return models[0] if models else None
    return None


def _type_name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(str(argument) for argument in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type_name(argument) for argument in arguments)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    if origin is dict:
        return f"mapping to {_type_name(arguments[1])}"
    return _TYPE_NAMES.get(annotation, "value")


def _bounds_text(field: FieldInfo) -> str:
    """Return the accepted range, such as ` >= 2 <= 50`; empty without one."""
    bounds = {
        name: getattr(constraint, name)
        for constraint in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(constraint, name, None) is not None
    }
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return "".join(f" {sign} {bounds[name]}" for name, sign in signs.items() if name in bounds)


def _shorten_json(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), _MAX_VALUE)


def _first_sentence(field: FieldInfo) -> str:
    model = _model_types(field.annotation)[0]
    return (model.__doc__ or "").strip().partition("\n")[0]
