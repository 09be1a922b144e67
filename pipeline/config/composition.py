"""Compose conf/ with overrides into one tree, byte for byte as DVC does, with the origin of each value."""

from __future__ import annotations

import re
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.config.conf_sources import ENGINE_ENTRY, ROOT_CONFIG, find_conf_sources
from pipeline.config.declared_files import check_conf_files
from pipeline.config.hydra_settings import check_hydra_node, store_launchers
from pipeline.config.interpolation import check_interpolations
from pipeline.config.strict_yaml import read_yaml
from pipeline.config.target_guard import check_overrides, check_targets
from pipeline.errors import ConfigError, did_you_mean
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.config.conf_sources import ConfFolder, ConfSources

__all__ = [
    "Composition",
    "Origin",
    "check_hydra_overrides",
    "compose",
    "flatten_settings",
    "group_options",
    "sweeper_settings",
]

# Groups whose options choose those of other groups.
_PRESET_GROUPS = ("experiment", "hparams_search")


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of one value: the last file that sets it, and the override, if any."""

    key: str
    value: Any
    file: str | None
    override: str | None


@dataclass(frozen=True, slots=True)
class Composition:
    """The composed tree without Hydra's node, its text as `params.yaml`, and the option of each group."""

    values: dict[str, Any]
    text: str
    choices: dict[str, str]
    conf: Path
    overrides: tuple[str, ...]

    def origin(self) -> tuple[Origin, ...]:
        """Return the origin of every leaf, in the order of the tree.

        This costs half as much as composing, so it is computed on demand, from the current files.

        Raises
        ------
        ConfigError
            When a file of conf/ has become invalid.
        """
        sources = find_conf_sources(self.conf, self.overrides)
        with _hydra_initialized(self.conf, self.overrides):
            layers, override_texts = _config_layers(self.overrides, sources)
        return tuple(_origins(self.values, layers, override_texts))


@dataclass(frozen=True, slots=True)
class _Layer:
    """Values of one file of settings, at the place where Hydra merges them."""

    file: str
    values: dict[str, Any]


def compose(overrides: Sequence[str] = (), *, conf: Path = paths.CONF) -> Composition:
    """Return conf/ composed with `overrides` (Hydra's grammar).

    Every file of conf/ and of its search path is parsed strictly before Hydra reads it. So a file that Hydra and DVC
    would parse differently, or without end, is an error.

    Raises
    ------
    ConfigError
        Naming file, key or override.
    """
    sources = _checked_sources(overrides, conf)
    values, text, choices = _compose_once(_Request(tuple(overrides), _contents(sources), conf, sources))
    return Composition(deepcopy(values), text, dict(choices), conf, tuple(overrides))


@dataclass(frozen=True, slots=True)
class _Request:
    """What a composition depends on: overrides, and the names and bytes of the files."""

    overrides: tuple[str, ...]
    contents: tuple[tuple[str, bytes], ...]
    conf: Path = field(compare=False)
    sources: ConfSources = field(compare=False)


def _contents(sources: ConfSources) -> tuple[tuple[str, bytes], ...]:
    return tuple((folder.name_of(path), path.read_bytes()) for folder, path in sources.files())


def check_hydra_overrides(overrides: Sequence[str], *, conf: Path = paths.CONF) -> None:
    """Raise if the `hydra` node (launcher, sweeper, callbacks, logging) would build a class that is not Hydra's own.

    Unlike `compose`, it accepts sweeps such as `seed=1,2`. Hydra composes each trial anew, so every option that a sweep
    names is composed here too.

    Raises
    ------
    ConfigError
        Naming file, key or override.
    """
    sources = _checked_sources(overrides, conf)
    with _hydra_initialized(conf, overrides):
        node = _hydra_node(overrides, sources)
        searched = [f"{key}={value}" for key, value in (node["sweeper"].get("params") or {}).items()]
        for option in _sweep_options([*searched, *overrides], group_options(conf)):
            _hydra_node([*overrides, option], sources)


def sweeper_settings(overrides: Sequence[str], *, conf: Path = paths.CONF) -> dict[str, Any]:
    """Return the settings of Hydra's sweeper after `overrides`, checked like those of a sweep.

    Raises
    ------
    ConfigError
        Naming file, key or override.
    """
    sources = _checked_sources(overrides, conf)
    with _hydra_initialized(conf, overrides):
        return dict(_hydra_node(overrides, sources)["sweeper"])


def _hydra_node(overrides: Sequence[str], sources: ConfSources) -> dict[str, Any]:
    """Return the checked `hydra` node; overrides with several values have no effect on it."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    tree = GlobalHydra.instance().hydra.compose_config(  # type: ignore[union-attr]
        ROOT_CONFIG, sources.hydra_overrides(overrides), run_mode=RunMode.MULTIRUN, validate_sweep_overrides=False
    )
    node: Any = OmegaConf.to_container(tree.hydra, resolve=False)
    _check_composed_node(node, sources)
    return dict(node)


def _check_composed_node(node: dict[str, Any], sources: ConfSources) -> None:
    """Check the `hydra` node that Hydra composed; its search path may be that of the folders, which were checked."""
    if node.get("searchpath") == sources.search_path():
        node["searchpath"] = []
    check_hydra_node(node)


def _sweep_options(overrides: Sequence[str], groups: Collection[str]) -> Iterator[str]:
    """Yield an override for each option of a group that `overrides` name."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    for override in parser.parse_overrides(list(overrides)):
        if override.key_or_group not in groups and override.package is None:
            continue
        is_sweep = override.is_discrete_sweep()
        values = override.sweep_string_iterator() if is_sweep else [override.get_value_element_as_str()]
        yield from (f"{override.get_key_element()}={value}" for value in values)


def _checked_sources(overrides: Sequence[str], conf: Path) -> ConfSources:
    """Return the folders of settings, after a check of the overrides and of each file in them."""
    check_overrides(overrides)
    if conf.is_dir():
        check_conf_files(conf)
    sources = find_conf_sources(conf, overrides)
    for folder in sources.folders:
        if folder.path != conf and not folder.is_engine:
            check_conf_files(folder.path, name=folder.label)
    for folder, path in sources.files():
        _check_hydra_settings(path, read_yaml(path), folder, is_root=path == conf / f"{ROOT_CONFIG}.yaml")
    return sources


def _check_hydra_settings(path: Path, content: Any, folder: ConfFolder, *, is_root: bool) -> None:
    """Check the settings of Hydra in one file before Hydra reads it: a search path takes effect while it composes."""
    if not isinstance(content, dict):
        return
    name = folder.name_of(path)
    if path.parent == folder.path / "hydra":
        check_hydra_node(
            {key: value for key, value in content.items() if key != "defaults"}, place=name, is_composed=False
        )
    for key, value in content.items():
        if key == "hydra" or key.startswith("hydra."):
            below = value if isinstance(value, dict) else {"": value}
            if is_root and key == "hydra":  # its search path is checked where it is read
                below = {name: member for name, member in below.items() if name != "searchpath"}
            check_hydra_node(
                {key.removeprefix("hydra").lstrip("."): below} if key != "hydra" else below,
                place=name,
                is_composed=False,
            )


@contextmanager
def _hydra_initialized(conf: Path, overrides: Sequence[str]) -> Iterator[None]:
    """Initialize Hydra over `conf`, and convert each error of the block into ConfigError."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    store_launchers()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf.resolve()), version_base=None):
            yield
    except ConfigError:
        raise
    except Exception as error:
        # Hydra and OmegaConf raise a dozen classes, among them ValueError and AssertionError.
        raise _to_config_error(error, overrides, conf) from error


@lru_cache(maxsize=32)  # a composition takes a quarter of a second, and most commands of a process ask for the same
def _compose_once(request: _Request) -> tuple[dict[str, Any], str, dict[str, str]]:
    from omegaconf import OmegaConf

    with _hydra_initialized(request.conf, request.overrides):
        tree, choices = _compose_tree(request.overrides, request.sources)
        raw: Any = OmegaConf.to_container(tree, resolve=False)
        check_interpolations(raw)
        OmegaConf.resolve(tree)
        values: Any = OmegaConf.to_container(tree, resolve=True)
        check_targets(values, place=f"{request.conf}/{ROOT_CONFIG}.yaml")
        if _contents(request.sources) != request.contents:
            raise ConfigError(f"{request.conf}/ changed while it was read; compose it again")
        return values, OmegaConf.to_yaml(tree), choices


def _compose_tree(overrides: Sequence[str], sources: ConfSources) -> tuple[Any, dict[str, str]]:
    import hydra
    from omegaconf import OmegaConf, open_dict

    tree = hydra.compose(ROOT_CONFIG, sources.hydra_overrides(overrides), return_hydra_config=True)
    hydra_node: Any = OmegaConf.to_container(tree.hydra, resolve=False)
    _check_composed_node(hydra_node, sources)
    choices = {str(group): str(option) for group, option in hydra_node["runtime"]["choices"].items()}
    _refuse_ignored_choices(choices, sources)
    with open_dict(tree):
        del tree["hydra"]
    return tree, choices


def _refuse_ignored_choices(choices: Mapping[str, str], sources: ConfSources) -> None:
    """Raise where an experiment chooses an option of a group that config.yaml overrides: Hydra ignores the inner one.

    A choice of the command line may differ from both.
    """
    project = _overridden_options(sources, f"{ROOT_CONFIG}.yaml")
    for preset in _PRESET_GROUPS:
        name = f"{preset}/{choices.get(preset)}.yaml"
        for group, option in _overridden_options(sources, name).items():
            if group in project and project[group] == choices.get(group) != option:
                raise ConfigError(
                    f"{paths.CONF}/{name}: its choice {group}={option} has no effect, because"
                    f" {paths.CONF}/{ROOT_CONFIG}.yaml overrides {group}; remove one of the two lines"
                )


def _overridden_options(sources: ConfSources, name: str) -> dict[str, str]:
    """Return the option of each group that the defaults list of a file overrides."""
    found = sources.find(name)
    content = read_yaml(found[1]) if found is not None else None
    entries = content.get("defaults") if isinstance(content, dict) else None
    pairs = [pair for entry in entries or () if isinstance(entry, dict) for pair in entry.items()]
    return {key.split()[-1].strip("/"): str(option) for key, option in pairs if key.startswith("override ")}


def _config_layers(overrides: Sequence[str], sources: ConfSources) -> tuple[list[_Layer], dict[str, str]]:
    """Return the values of each file, later ones last, and the override of each overridden key."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    defaults = (
        GlobalHydra.instance()
        .config_loader()
        .compute_defaults_list(ROOT_CONFIG, sources.hydra_overrides(overrides), RunMode.RUN)
    )
    override_texts = {
        override.key_or_group: str(override.input_line)
        for override in defaults.config_overrides
        if override.key_or_group is not None
    }
    layers = [
        _read_layer(*found, entry.package or "")
        for entry in defaults.defaults
        if entry.config_path is not None and (found := sources.find(f"{entry.config_path}.yaml")) is not None
    ]
    return layers, override_texts


def _read_layer(folder: ConfFolder, path: Path, package: str) -> _Layer:
    content = {key: value for key, value in (read_yaml(path) or {}).items() if key not in ("defaults", "hydra")}
    for part in reversed([part for part in package.split(".") if part and part != "_global_"]):
        content = {part: content}
    return _Layer(folder.name_of(path), content)


def _origins(values: Mapping[str, Any], layers: list[_Layer], override_texts: Mapping[str, str]) -> Iterator[Origin]:
    files = {key: layer.file for layer in layers for key, _ in flatten_settings(layer.values)}
    for key, value in flatten_settings(values):
        override = next(
            (text for name, text in override_texts.items() if key == name or key.startswith(f"{name}.")), None
        )
        file = next((files[k] for k in _prefixes(key) if k in files), None)
        yield Origin(key, value, file, override)


def _prefixes(key: str) -> Iterator[str]:
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        yield ".".join(parts[:length])


def flatten_settings(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (key path, value) of each leaf; lists and empty mappings are leaves."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from flatten_settings(value, f"{path}.")
        else:
            yield path, value


def group_options(conf: Path = paths.CONF) -> dict[str, tuple[str, ...]]:
    """Return the options of each group in conf/ and its search path, both sorted.

    Hydra's own group offers no choice and is left out.
    """
    options: dict[str, set[str]] = {}
    for folder, path in find_conf_sources(conf).files():
        group = path.parent.relative_to(folder.path).as_posix()
        if group not in (".", "hydra"):
            options.setdefault(group, set()).add(path.stem)
    return {group: tuple(sorted(names)) for group, names in sorted(options.items())}


def _to_config_error(error: Exception, overrides: Sequence[str], conf: Path) -> ConfigError:
    """Convert an error of Hydra into one line that names the file or the overrides."""
    message = " ".join(str(error).split()) or type(error).__name__
    cause = error.__cause__
    if cause is not None and str(cause) not in message:
        message = f"{message} ({' '.join(str(cause).split())})"
    message = message.partition(" Config search path:")[0]
    call = f" with {' '.join(overrides)}" if overrides else ""
    return ConfigError(f"{conf}/{ROOT_CONFIG}.yaml{call}: {message[:600]}{_suggest_option_or_key(message, conf)}")


def _suggest_option_or_key(message: str, conf: Path) -> str:
    """Return `; did you mean ...?` for the nearest known option or key, else an empty text."""
    if (option := re.search(r"Could not find '([^']+)'", message)) is not None:
        known = {f"{group}/{name}" for group, names in group_options(conf).items() for name in names}
        if option[1] not in known and find_conf_sources(conf).is_without_engine(f"{option[1]}.yaml"):
            return f"; the engine has it: add {ENGINE_ENTRY} to hydra.searchpath of {conf}/{ROOT_CONFIG}.yaml"
        return did_you_mean(option[1], known)
    if (key := re.search(r"Could not override '([^']+)'", message)) is not None:
        return did_you_mean(
            key[1], [*group_options(conf), *(path for path, _ in flatten_settings(compose(conf=conf).values))]
        )
    return ""
