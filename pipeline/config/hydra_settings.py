"""The settings of Hydra itself that conf/ and overrides may have; every other one is refused.

Hydra itself accepts settings that change the environment, read other folders, write anywhere, connect to a
database or call code. So this is a list of keys, each with the values that it accepts.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from pipeline.errors import TargetRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ENGINE_LAUNCHER", "ENGINE_LAUNCHERS", "check_hydra_node", "store_launchers"]

# Hydra builds launchers of this namespace alone, and finds only those of installed packages; the code of a project may
# lie in its folder.
ENGINE_LAUNCHER = "hydra_plugins.mlops.EngineLauncher"
ENGINE_LAUNCHERS = ("local", "dask", "ray")

_ANY = r"(?s:.*)"
_NUMBER = r"-?[0-9.]+|null"
_WORD = r'null|true|false|-?[0-9.]+|"[A-Za-z0-9_.]*"'
# Other settings of Hydra may contain any text, so a folder must not refer to them.
_FOLDER = r'"(?![/~\\])(?!.*\.\.)(?!.*\$\{(?!hydra\.job\.(num|id|name|override_dirname)\}|now:))[^"\\]+"'
_LAUNCHERS = (
    r'"hydra\._internal\.core_plugins\.basic_launcher\.BasicLauncher"'
    r'|"hydra_plugins\.hydra_joblib_launcher\.joblib_launcher\.JoblibLauncher"'
    r'|"hydra_plugins\.mlops\.EngineLauncher"'
)
_SWEEPERS = (
    r'"hydra\._internal\.core_plugins\.basic_sweeper\.BasicSweeper"'
    r'|"hydra_plugins\.hydra_optuna_sweeper\.optuna_sweeper\.OptunaSweeper"'
)

# Pattern of the key below `hydra` -> pattern of the value as JSON, and in words; the first key that matches counts.
_ACCEPTED: tuple[tuple[str, str, str], ...] = (
    (r"run\.dir", r'"\."', "."),
    (r"sweep\.(dir|subdir)", _FOLDER, "a path inside the project, such as outputs/sweeps/mine"),
    (r"launcher\._target_", _LAUNCHERS, "the launcher basic, joblib, local, dask or ray"),
    (r"launcher\.engine", r'"(local|dask|ray)"', "local, dask or ray"),
    (r"launcher\.backend", r'null|"(loky|threading|multiprocessing)"', "loky, threading or multiprocessing"),
    (r"launcher\.pre_dispatch", r'"[0-9]*\*?n_jobs"|"all"|[0-9]+', "a number, all, or a product such as 2*n_jobs"),
    (r"launcher\.(n_jobs|prefer|require|verbose|timeout|batch_size|max_nbytes|mmap_mode)", _WORD, "a number or word"),
    (r"sweeper\._target_", _SWEEPERS, "the sweeper basic or optuna"),
    (r"sweeper\.(max_batch_size|n_trials|n_jobs|max_failure_rate)", _NUMBER, "a number"),
    (r"sweeper\.direction", r'"(minimize|maximize)"', "minimize or maximize"),
    (r"sweeper\.study_name", _WORD, "a word"),
    (r"sweeper\.params", r"null|\{\}", "a mapping"),
    # Each becomes an override of the trials.
    (r"sweeper\.params\.(?!\s*[+~]*\s*hydra\b)[^@=]+", _ANY, "settings of the project"),
    (r"sweeper\.sampler\._target_", r'"optuna\.samplers\.[A-Za-z]+"', "a sampler of Optuna"),
    (r"sweeper\.sampler\.[a-z_]+", _WORD, "a number or word"),
    (r"callbacks\.sweep\._target_", r'"pipeline\.sweeps\.hydra_callback\.SweepCallback"', "the project's callback"),
    (r"(job|hydra)_logging\.version", r"1", "1"),
    (r"(job|hydra)_logging\.disable_existing_loggers", r"true|false", "true or false"),
    (r"(job|hydra)_logging\.formatters\.\w+\.(format|datefmt)", r"\".*\"", "a text"),
    (r"(job|hydra)_logging\.handlers\.\w+\.class", r'"logging\.StreamHandler"', "logging.StreamHandler"),
    (
        r"(job|hydra)_logging\.handlers\.\w+\.stream",
        r'"ext://sys\.std(out|err)"',
        "ext://sys.stdout or ext://sys.stderr",
    ),
    (r"(job|hydra)_logging\.handlers\.\w+\.(formatter|level)", _WORD, "a word"),
    (r"(job|hydra)_logging\.(root|loggers\.[\w.]+)\.(level|propagate)", _WORD, "a word"),
    (r"(job|hydra)_logging\.(root|loggers\.[\w.]+)\.handlers", r'\[("\w+"(, )?)*\]', "names of handlers"),
    (r"(job|hydra)_logging\.(root|loggers)", r"null|\{\}", "null"),
    (r"(help|hydra_help)\.\w+", _ANY, "a text"),
    (r"verbose", r'true|false|"[\w.]+"|\[("[\w.]+"(, )?)*\]', "true, false or names of loggers"),
    (r"mode", r'null|"(RUN|MULTIRUN)"', "RUN or MULTIRUN"),
    (r"job\.config_name", r'"config"', "config"),
    # Folders may contain these three.
    (r"job\.(name|id|num)", r'null|[0-9]+|"(?!.*\.\.)[\w.-]+"|"\?\?\?"', "a word"),
    (r"job\.config\.override_dirname\.(kv|item)_sep", r'"[^"/\\.]*"', "a text without dots and slashes"),
    # Hydra fills these in; what a file sets here is only a label.
    (
        r"job\.override_dirname|job\.config\.override_dirname\.\w+|runtime\..+|overrides\..+",
        _ANY,
        "a text",
    ),
    # These only as Hydra leaves them.
    (r"output_subdir|job\.chdir|launcher\.temp_folder", r"null|false", "null"),
    (
        r"sweeper\.(storage|search_space|custom_search_space)|sweeper\.sampler|callbacks|launcher|sweeper",
        r"null",
        "null",
    ),
    (r"env|job\.env_set", r"null|\{\}", "nothing"),
    (r"searchpath|job\.env_copy", r"null|\[\]", "nothing"),
)
_INTERPOLATION = re.compile(r"\$\{(?!hydra\.[a-z_.]+\}|now:[%A-Za-z_:.-]+\})")


def store_launchers() -> None:
    """Add the launchers of engines to what Hydra composes: `hydra/launcher=local`, `dask` and `ray`."""
    from hydra.core.config_store import ConfigStore

    for engine in ENGINE_LAUNCHERS:
        node = {"_target_": ENGINE_LAUNCHER, "engine": engine}
        ConfigStore.instance().store(group="hydra/launcher", name=engine, node=node, provider="mlops")


def check_hydra_node(node: Mapping[str, Any], *, place: str = "conf/", is_composed: bool = True) -> None:
    """Raise for every setting below `hydra` that is not on the list, or has a value that is not accepted.

    Parameters
    ----------
    node : mapping
        The `hydra` node, unresolved, as composed or as one file writes it.
    place : str
        File that errors name.
    is_composed : bool
        Whether Hydra has written the overrides of the call into the node; their interpolations are checked elsewhere.

    Raises
    ------
    TargetRefused
        Naming file, key path, value and accepted values.
    """
    for key, value in _leaves(node, ""):
        text = json.dumps(value, default=_name_of)
        is_call = is_composed and key.startswith(("overrides.", "job.override_dirname"))
        if not is_call and _INTERPOLATION.search(text):
            raise TargetRefused(f"{place}: hydra.{key}: {text[:80]} reads more than settings; accepted: ${{now:...}}")
        accepted = next(((values, words) for keys, values, words in _ACCEPTED if re.fullmatch(keys, key)), None)
        if accepted is None:
            raise TargetRefused(
                f"{place}: hydra.{key}: is not a setting here; accepted below hydra: run, sweep, launcher, sweeper,"
                " callbacks.sweep, job_logging, hydra_logging, verbose"
            )
        if re.fullmatch(accepted[0], text) is None:
            raise TargetRefused(f"{place}: hydra.{key}: {text[:80]} is not accepted; expected {accepted[1]}")


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (key path, value) of each leaf; lists and empty mappings are leaves."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif path:
        yield path, node


def _name_of(value: object) -> str:
    return value.name if isinstance(value, Enum) else str(value)
