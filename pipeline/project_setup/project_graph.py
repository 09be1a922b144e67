"""Derive the `dvc.yaml` of a project from the engine's, and merge a newer one into a file that a team edited."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError
from pipeline.project import paths
from pipeline.project.engine_files import engine_graph, stage_module
from pipeline.project.stage_digests import digest_path, is_engine_source
from pipeline.project_setup.graph_merge import merge_trees

if TYPE_CHECKING:
    from ruamel.yaml import YAML

__all__ = ["graph_values", "merge_graph", "render_graph"]

_HEADER = """\
The stages of the engine, written by `mlops init` and `mlops upgrade`. engine/STAGE.digest names the code that a stage
runs. Stages, dependencies and plots of your own may be added here: `mlops upgrade` preserves them.
"""
_CONF_DEPENDENCY = paths.CONF.as_posix()
_MAX_WIDTH = 4096


def graph_values() -> dict[str, Any]:
    """Return the plain values of the graph that a new project gets."""
    values: dict[str, Any] = _plain(_project_tree())
    return values


def render_graph() -> str:
    """Return the text of the `dvc.yaml` that a new project gets."""
    tree = _project_tree()
    tree.yaml_set_start_comment(_HEADER.rstrip())
    return _dump(tree)


def merge_graph(text: str, recorded: dict[str, Any]) -> str:
    """Return a project's `dvc.yaml` with what changed in the engine's graph, and with the edits of the team.

    Parameters
    ----------
    text : str
        The file as it is.
    recorded : dict
        The values that the engine gave last, before any edit.

    Raises
    ------
    ConfigError
        When the file is no graph, or the team and the engine changed the same value; each place is named.
    """
    tree = _load(text)
    if not isinstance(tree, dict) or not isinstance(tree.get("stages"), dict):
        raise ConfigError(f"{paths.GRAPH}: has no stages; restore it with `git checkout HEAD -- {paths.GRAPH}`")
    before = _plain(tree)
    conflicts = merge_trees(tree, recorded, graph_values())
    if conflicts:
        lines = [f"{conflict}; use the engine's value, or undo your edit" for conflict in conflicts]
        raise ConfigError(
            "\n".join([*lines, f"{paths.GRAPH}: nothing was changed; run `mlops upgrade` after the edit"])
        )
    return text if _plain(tree) == before else _dump(tree)


def _project_tree() -> Any:
    """Return the engine's graph with modules of the installed engine, and with digests in place of sources."""
    tree = _load(engine_graph().read_text(encoding="utf-8"))
    for stage, block in tree["stages"].items():
        block["cmd"] = block["cmd"].replace(f"python -m stages.{stage}", f"python -m {stage_module(stage)}")
        dependencies = block["deps"]
        results = [dep for dep in dependencies if not is_engine_source(dep) or dep == _CONF_DEPENDENCY]
        dependencies[:] = [*results, digest_path(stage).as_posix()]
    return tree


def _yaml() -> YAML:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = _MAX_WIDTH
    yaml.preserve_quotes = True
    return yaml


def _load(text: str) -> Any:
    from ruamel.yaml.error import YAMLError

    try:
        return _yaml().load(text)
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{paths.GRAPH}: cannot be read ({reason[:300]})") from error


def _dump(tree: Any) -> str:
    stream = io.StringIO()
    _yaml().dump(tree, stream)
    return stream.getvalue()


def _plain(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {str(key): _plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_plain(value) for value in tree]
    return str(tree) if isinstance(tree, str) else tree
