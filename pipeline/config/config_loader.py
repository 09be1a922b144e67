"""Validate composed values into frozen types; an error names each wrong key and the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from pipeline.config.conf_sources import find_conf_sources
from pipeline.config.groups.engine_config import PartEngineConfig
from pipeline.config.groups.scenario_config import ScenarioConfig
from pipeline.config.groups.section import Section
from pipeline.config.root_config import Config
from pipeline.config.strict_yaml import read_yaml
from pipeline.config.target_guard import check_targets
from pipeline.errors import ConfigError, did_you_mean
from pipeline.extensions import load_extensions
from pipeline.project import paths
from pipeline.project.engine_files import stage_command
from pipeline.text import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pipeline.config.composition import Origin

__all__ = ["build_config", "build_engine", "load_engine", "load_params", "load_scenario"]

_MAX_ERRORS = 10

M = TypeVar("M", bound=BaseModel)


class _EngineFile(Section):
    """An option of the group `engine`; a union is validated as the field of a model."""

    engine: PartEngineConfig


def load_params(path: Path = paths.PARAMS) -> Config:
    """Return the typed settings of a composed file.

    Raises
    ------
    ConfigError
        Naming the file, the key path, what was found and what is accepted.
    """
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: has no keys; run `{stage_command('compose')}` to make it from conf/")
    return build_config(values, where=str(path))


def build_config(values: Mapping[str, Any], *, where: str, origin: Callable[[], Iterable[Origin]] = tuple) -> Config:
    """Return the typed form of composed `values`, and load the extensions that they declare.

    Parameters
    ----------
    values : mapping
        A composed tree: texts, numbers, booleans, None, lists and mappings.
    where : str
        File that errors name if `origin` has no better one.
    origin : callable
        Returns the origin of each value; called only for errors.

    Raises
    ------
    ConfigError
        With one line for each wrong key, at most ten; or when an extension cannot be imported.
    DependencyUnavailable
        When an extension is not installed in the declared version.
    """
    check_targets(values, place=where)
    config = _validate(Config, values, where, origin)
    load_extensions(config.extensions)
    return config


def load_scenario(name_or_path: str, *, conf: Path = paths.CONF) -> ScenarioConfig:
    """Return the scenario of a name in conf/scenario/, or of a YAML file.

    Raises
    ------
    ConfigError
        Naming the known scenarios, or file and key.
    """
    path, values = _read_option(name_or_path, "scenario", conf, example="calm")
    return _validate(ScenarioConfig, values, str(path), tuple)


def load_engine(name_or_path: str, *, conf: Path = paths.CONF) -> PartEngineConfig:
    """Return the engine of a name in conf/engine/, or of a YAML file.

    Raises
    ------
    ConfigError
        Naming the known engines, or file and key.
    """
    path, values = _read_option(name_or_path, "engine", conf, example="local")
    return build_engine(values, where=str(path))


def build_engine(values: Mapping[str, Any], *, where: str) -> PartEngineConfig:
    """Return the typed form of the group `engine`.

    Raises
    ------
    ConfigError
        Naming `where` and the key.
    """
    return _validate(_EngineFile, {"engine": dict(values)}, where, tuple).engine


def _read_option(name_or_path: str, group: str, conf: Path, *, example: str) -> tuple[Path, dict[str, Any]]:
    """Return the file of an option, or of a path, with its values."""
    sources = find_conf_sources(conf)
    if name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
    else:
        found = sources.find(f"{group}/{name_or_path}.yaml")
        path = conf / group / f"{name_or_path}.yaml" if found is None else found[1]
    if not path.is_file():
        known = sources.options(group)
        raise ConfigError(
            f"{name_or_path!r} is no {group}; known: {', '.join(known)}, or the path of a YAML file"
            f"{did_you_mean(name_or_path, known)}"
        )
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: has no keys; see {paths.CONF}/{group}/{example}.yaml for an example")
    return path, values


def _validate(model: type[M], values: Mapping[str, Any], where: str, origin: Callable[[], Iterable[Origin]]) -> M:
    try:
        return model.model_validate_json(json.dumps(values))
    except ValidationError as error:
        problems = error.errors(include_url=False)[:_MAX_ERRORS]
        files = {entry.key: entry.override or entry.file for entry in origin()}
        lines = [_error_line(model, problem, values, where, files) for problem in problems]
        raise ConfigError("\n".join(lines)) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _error_line(
    model: type[BaseModel], problem: Any, values: Mapping[str, Any], where: str, files: Mapping[str, str | None]
) -> str:
    names_a_key = problem["type"] in ("missing", "extra_forbidden")
    keys = _written_path(problem["loc"], values, may_be_absent=names_a_key)
    path = ".".join(keys)
    place = next((file for key in _nearest_keys(path, files) if (file := files[key])), None) or where
    kind, message = problem["type"], problem["msg"]
    if kind == "extra_forbidden":
        known = _known_keys(model, keys[:-1], values)
        message = f"is not a key here; known: {', '.join(known)}{did_you_mean(keys[-1], known)}"
    elif kind == "missing":
        message = "is missing; add it (settings have no hidden defaults)"
    elif kind == "value_error":
        message = message.removeprefix("Value error, ")
    else:
        message = f"found {_shorten_json(problem.get('input'))}; {message[0].lower()}{message[1:]}"
    return f"{place}: {path}: {message}" if path else f"{place}: {message}"


def _shorten_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return shorten(text, 80)


def _written_path(location: tuple[int | str, ...], values: Any, *, may_be_absent: bool) -> list[str]:
    """Return the keys of a location as written in the file, without names of union members.

    With `may_be_absent` the last part is a key that the file lacks, or that the settings do not know.
    """
    keys: list[str] = []
    for index, part in enumerate(location):
        is_last = index == len(location) - 1
        if isinstance(values, dict) and part not in values and not (is_last and may_be_absent):
            continue
        if part == "[key]":
            continue
        keys.append(str(part))
        values = _child_value(values, part)
    return keys


def _child_value(values: Any, part: int | str) -> Any:
    if isinstance(values, dict):
        return values.get(part)
    if isinstance(values, list) and isinstance(part, int) and part < len(values):
        return values[part]
    return None


def _nearest_keys(path: str, files: Mapping[str, str | None]) -> Iterator[str]:
    """Yield known keys from the nearest to `path` outward: itself, its children, its neighbors."""
    above = path
    while True:
        yield from (key for key in files if key == above or key.startswith(f"{above}."))
        if "." not in above:
            return
        above = above.rpartition(".")[0]


def _known_keys(model: type[BaseModel], keys: list[str], values: Any) -> list[str]:
    """Return the keys of the section at `keys`; for a union, those of the chosen member."""
    models: list[type[BaseModel]] = [model]
    for key in keys:
        if isinstance(values, list):
            values = _child_value(values, int(key))
            continue
        values = _child_value(values, key)
        fields = [field for model in models if (field := model.model_fields.get(key)) is not None]
        inner = [model for field in fields for model in _model_types(field.annotation)]
        models = inner or models
    kind = _child_value(values, "kind")
    chosen = [model for model in models if kind in _discriminator_values(model)] or models
    return sorted({name for model in chosen for name in model.model_fields})


def _model_types(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _model_types(argument)]


def _discriminator_values(model: type[BaseModel]) -> tuple[Any, ...]:
    field = model.model_fields.get("kind")
    return () if field is None else get_args(field.annotation)
