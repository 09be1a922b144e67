"""Declare a snapshot as the source of a problem, with the fewest changed lines of its settings file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError
from pipeline.project import paths

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["declare_snapshot", "settings_file"]


def settings_file(folder: Path) -> Path:
    """Return the settings file of the problem of a project, relative to its folder.

    Raises
    ------
    ConfigError
        When conf/config.yaml chooses none.
    """
    root_file = paths.CONF / "config.yaml"
    for entry in read_yaml(folder / root_file).get("defaults", ()):
        if isinstance(entry, dict) and isinstance(entry.get("data"), str):
            return paths.CONF / "data" / f"{entry['data']}.yaml"
    raise ConfigError(f"{root_file}: defaults has no `- data: NAME`; add it")


def declare_snapshot(folder: Path, snapshot: str, *, half_life_days: float | None, history_at: str | None) -> Path:
    """Replace the source of the problem by a snapshot and return the changed file, relative to the folder.

    The declared source becomes the history of the snapshot, as old as `history_at` (a moment in UTC without an offset);
    None leaves it out. Where the source is a snapshot already, its history stays as old as it is.

    Raises
    ------
    ConfigError
        When the settings file has no source.
    """
    relative = settings_file(folder)
    file = folder / relative
    declared = read_yaml(file)
    if not isinstance(declared, dict) or "source" not in declared:
        raise ConfigError(f"{relative}: has no key source; expected `source: {{kind: ...}}`")
    source: dict[str, Any] = {"kind": "labeled", "path": snapshot}
    source |= {"half_life_days": half_life_days} if half_life_days is not None else {}
    source |= _history(declared["source"], history_at) if history_at is not None else {}
    text = _replace_value(file.read_text(encoding="utf-8"), "source", source)
    if source.get("history", {}).get("kind") != "synthetic":  # the generator alone needs a profile
        text = _replace_value(text, "profile", None)
    file.write_text(text, encoding="utf-8")
    return relative


def _history(source: dict[str, Any], at: str) -> dict[str, Any]:
    if source["kind"] != "labeled":
        return {"history": source, "history_at": at}
    return {key: source[key] for key in ("history", "history_at") if source.get(key) is not None}


def _replace_value(text: str, key: str, value: Any) -> str:
    """Return YAML with another value of a top-level key, which is added below `source` where it is missing."""
    lines = _as_yaml(key, value)
    root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    entries = {name.value: (name, node) for name, node in root.value}
    if key in entries:
        name, node = entries[key]
        return text[: name.start_mark.index] + lines.rstrip("\n") + text[_end(node) :]
    text = text if text.endswith("\n") else f"{text}\n"
    at = text.index("\n", _end(entries["source"][1])) + 1
    return text[:at] + lines + text[at:]


def _end(node: yaml.Node) -> int:
    """Return where the text of a node ends; the end mark of a block lies behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _as_yaml(key: str, value: Any) -> str:
    if not isinstance(value, dict):
        return yaml.safe_dump({key: value}, sort_keys=False, width=10_000)
    lines = [
        f"  {yaml.safe_dump({name: entry}, default_flow_style=True, sort_keys=False, width=10_000).strip()[1:-1]}\n"
        for name, entry in value.items()
    ]
    return f"{key}:\n{''.join(lines)}"
