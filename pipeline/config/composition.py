"""Compose conf/ with overrides into one tree, byte for byte as DVC does, with the origin of each value."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

__all__ = [
    "Composition",
    "Origin",
    "check_hydra_overrides",
    "compose",
    "flatten_settings",
    "group_options",
    "sweeper_settings",
]

_ROOT_CONFIG = "config"


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
        with _hydra_initialized(self.conf, self.overrides):
            layers, override_texts = _config_layers(self.overrides, self.conf)
        return tuple(_origins(self.values, layers, override_texts))


@dataclass(frozen=True, slots=True)
class _Layer:
    """Values of one file of conf/, at the place where Hydra merges them."""

    file: str
    values: dict[str, Any]


def compose(overrides: Sequence[str] = (), *, conf: Path = paths.CONF) -> Composition:
    """Return conf/ composed with `overrides` (Hydra's grammar).

    Every file of conf/ is parsed strictly before Hydra reads it. So a file that Hydra and DVC would
    parse differently, or without end, is an error.

    Raises
    ------
    ConfigError
        Naming file, key or override.
    """
    check_overrides(overrides)
    _check_all_files(conf)
    return _compose_checked(list(overrides), conf)


def check_hydra_overrides(overrides: Sequence[str], *, conf: Path = paths.CONF) -> None:
    """Raise if the `hydra` node (launcher, sweeper, callbacks, logging) would build a class that is not Hydra's own.

    Unlike `compose`, it accepts sweeps such as `seed=1,2`. Hydra composes each trial anew, so every option that a sweep
    names is composed here too.

    Raises
    ------
    ConfigError
        Naming file, key or override.
    """
    check_overrides(overrides)
    _check_all_files(conf)
    with _hydra_initialized(conf, overrides):
        node = _hydra_node(overrides)
        searched = [f"{key}={value}" for key, value in (node["sweeper"].get("params") or {}).items()]
        for option in _sweep_options([*searched, *overrides], group_options(conf)):
            _hydra_node([*overrides, option])


def sweeper_settings(overrides: Sequence[str], *, conf: Path = paths.CONF) -> dict[str, Any]:
    """Return the settings of Hydra's sweeper after `overrides`, checked like those of a sweep.

    Raises
    ------
    ConfigError
        Naming file, key or override.
    """
    check_overrides(overrides)
    _check_all_files(conf)
    with _hydra_initialized(conf, overrides):
        return dict(_hydra_node(overrides)["sweeper"])


def _hydra_node(overrides: Sequence[str]) -> dict[str, Any]:
    """Return the checked `hydra` node; overrides with several values have no effect on it."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode
    from omegaconf import OmegaConf

    tree = GlobalHydra.instance().hydra.compose_config(  # type: ignore[union-attr]
        _ROOT_CONFIG, list(overrides), run_mode=RunMode.MULTIRUN, validate_sweep_overrides=False
    )
    node: Any = OmegaConf.to_container(tree.hydra, resolve=False)
    check_hydra_node(node)
    return dict(node)


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


def _check_all_files(conf: Path) -> None:
    check_conf_files(conf)
    for path in sorted(conf.rglob("*.yaml")):
        _check_hydra_settings(path, read_yaml(path), conf)


def _check_hydra_settings(path: Path, content: Any, conf: Path) -> None:
    """Check the settings of Hydra in one file before Hydra reads it: a search path takes effect while it composes."""
    if not isinstance(content, dict):
        return
    name = f"{conf.name}/{path.relative_to(conf).as_posix()}"
    if path.parent == conf / "hydra":
        check_hydra_node(
            {key: value for key, value in content.items() if key != "defaults"}, place=name, is_composed=False
        )
    for key, value in content.items():
        if key == "hydra" or key.startswith("hydra."):
            below = value if isinstance(value, dict) else {"": value}
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


def _compose_checked(overrides: list[str], conf: Path) -> Composition:
    from omegaconf import OmegaConf

    with _hydra_initialized(conf, overrides):
        tree, choices = _compose_tree(overrides)
        raw: Any = OmegaConf.to_container(tree, resolve=False)
        check_interpolations(raw)
        OmegaConf.resolve(tree)
        values: Any = OmegaConf.to_container(tree, resolve=True)
        check_targets(values, place=f"{conf}/{_ROOT_CONFIG}.yaml")
        return Composition(values, OmegaConf.to_yaml(tree), choices, conf, tuple(overrides))


def _compose_tree(overrides: list[str]) -> tuple[Any, dict[str, str]]:
    import hydra
    from omegaconf import OmegaConf, open_dict

    tree = hydra.compose(_ROOT_CONFIG, overrides, return_hydra_config=True)
    hydra_node: Any = OmegaConf.to_container(tree.hydra, resolve=False)
    check_hydra_node(hydra_node)
    choices = {str(group): str(option) for group, option in hydra_node["runtime"]["choices"].items()}
    with open_dict(tree):
        del tree["hydra"]
    return tree, choices


def _config_layers(overrides: Sequence[str], conf: Path) -> tuple[list[_Layer], dict[str, str]]:
    """Return the values of each file, later ones last, and the override of each overridden key."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    defaults = GlobalHydra.instance().config_loader().compute_defaults_list(_ROOT_CONFIG, list(overrides), RunMode.RUN)
    override_texts = {
        override.key_or_group: str(override.input_line)
        for override in defaults.config_overrides
        if override.key_or_group is not None
    }
    layers = [
        _read_layer(conf / f"{entry.config_path}.yaml", entry.package or "", conf)
        for entry in defaults.defaults
        if entry.config_path is not None and (conf / f"{entry.config_path}.yaml").is_file()
    ]
    return layers, override_texts


def _read_layer(path: Path, package: str, conf: Path) -> _Layer:
    content = {key: value for key, value in (read_yaml(path) or {}).items() if key not in ("defaults", "hydra")}
    for part in reversed([part for part in package.split(".") if part and part != "_global_"]):
        content = {part: content}
    return _Layer(f"{paths.CONF}/{path.relative_to(conf)}", content)


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
    """Return the options of each group of conf/, both sorted; Hydra's own group offers no choice and is left out."""
    options: dict[str, list[str]] = {}
    for path in sorted(conf.rglob("*.yaml")):
        group = path.parent.relative_to(conf).as_posix()
        if group not in (".", "hydra"):
            options.setdefault(group, []).append(path.stem)
    return {group: tuple(names) for group, names in sorted(options.items())}


def _to_config_error(error: Exception, overrides: Sequence[str], conf: Path) -> ConfigError:
    """Convert an error of Hydra into one line that names the file or the overrides."""
    message = " ".join(str(error).split()) or type(error).__name__
    cause = error.__cause__
    if cause is not None and str(cause) not in message:
        message = f"{message} ({' '.join(str(cause).split())})"
    message = message.partition(" Config search path:")[0]
    call = f" with {' '.join(overrides)}" if overrides else ""
    return ConfigError(f"{conf}/{_ROOT_CONFIG}.yaml{call}: {message[:600]}{_suggest_option_or_key(message, conf)}")


def _suggest_option_or_key(message: str, conf: Path) -> str:
    """Return `; did you mean ...?` for the nearest known option or key, else an empty text."""
    if (option := re.search(r"Could not find '([^']+)'", message)) is not None:
        known = {f"{group}/{name}" for group, names in group_options(conf).items() for name in names}
        return did_you_mean(option[1], known)
    if (key := re.search(r"Could not override '([^']+)'", message)) is not None:
        return did_you_mean(
            key[1], [*group_options(conf), *(path for path, _ in flatten_settings(_compose_checked([], conf).values))]
        )
    return ""
