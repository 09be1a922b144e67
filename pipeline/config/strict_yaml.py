"""Parse YAML strictly: ambiguous, duplicate or unbounded content is an error with its position.

Hydra, DVC and PyYAML disagree about bare words such as `on`, `010`, `1e-3` and `2026-01-31`. A strict
file means the same in `dvc exp run` and in `dvc repro`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_yaml"]

_MAX_BYTES = 16_000_000  # a declaration of 10,000 columns has 2 MB
_MAX_DEPTH = 32
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+][0-9]+)?")
_BOOLEANS = {"true": True, "false": False}
# Bare words that one parser reads as numbers, dates or booleans and another as text.
_AMBIGUOUS = re.compile(
    r"(?i:yes|no|on|off|true|false|null)"
    r"|[-+]?[0-9][0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?|[-+]?\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|0[xob][0-9a-fA-F_]+"
    r"|[-+]?[0-9]+(:[0-9]+)+(\.[0-9]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|[-+]?\.(?i:inf|nan)|="
)


def read_yaml(path: Path) -> Any:
    """Return the value of a YAML file: dictionaries with text keys, lists, texts, numbers, booleans, None.

    Raises
    ------
    ConfigError
        With file, line and column: when the file is missing, too large, too deep, not UTF-8, not YAML, repeats
        a key, uses anchors or tags, or contains an ambiguous bare word.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise ConfigError(f"{path}: has {len(content):,} bytes; a settings file has at most {_MAX_BYTES:,}")
    return _parse(content, str(path))


@lru_cache(maxsize=512)
def _parse(content: bytes, name: str) -> Any:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}:{line}: not UTF-8 (byte {error.start}); save the file as UTF-8") from error
    try:
        _check_events(text, name)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise ConfigError(
            f"{place}: not valid YAML: {error.problem}; indent with spaces, and close brackets and quotes"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from error
    return None if node is None else _node_value(node, name)


def _check_events(text: str, name: str) -> None:
    """Reject anchors, aliases and deep nesting in the event stream, before values are built."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _yaml_error(event, name, "anchors and aliases are not used here; refer to a key with ${other.key}")
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise _yaml_error(event, name, f"nested deeper than {_MAX_DEPTH} levels")


def _yaml_error(node: Any, name: str, why: str) -> ConfigError:
    return ConfigError(f"{name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {why}")


def _node_value(node: yaml.Node, name: str) -> Any:
    if node.tag not in _PLAIN_TAGS and not _is_ambiguous_scalar(node):
        raise _yaml_error(node, name, f"the tag {node.tag!r} is not used here; write plain YAML")
    if isinstance(node, yaml.MappingNode):
        return _mapping_value(node, name)
    if isinstance(node, yaml.SequenceNode):
        return [_node_value(member, name) for member in node.value]
    return _scalar_value(node, name)


def _is_ambiguous_scalar(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and _AMBIGUOUS.fullmatch(node.value) is not None


def _mapping_value(node: yaml.MappingNode, name: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _node_value(key_node, name)
        if not isinstance(key, str):
            raise _yaml_error(key_node, name, f"the key {key!r} is not a text; quote it")
        if key in result:
            raise _yaml_error(key_node, name, f"the key {key!r} is duplicated; remove one of them")
        result[key] = _node_value(value_node, name)
    return result


def _scalar_value(node: Any, name: str) -> Any:
    text: str = node.value
    if node.style:
        return text
    if text in ("", "~", "null"):
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _AMBIGUOUS.fullmatch(text) or _PLAIN_TAGS.get(node.tag) != "str":
        raise _yaml_error(
            node,
            name,
            f"the bare word {text!r} is ambiguous; quote a text or a date, write true or false for a"
            " boolean, 0.001 instead of 1e-3, and no leading zeros",
        )
    return text
