"""The strict parser accepts only YAML that all parsers read alike, and names the position of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

_plain = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(-1e6, 1e6) | st.text(max_size=20)
_trees = st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex(r"\A[a-z_]{1,8}\Z"), inner, max_size=4),
    max_leaves=12,
)


def _read(folder: Path, text: str) -> object:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("a: 0.05", {"a": 0.05}),
        ("a: -1.5e+3", {"a": -1500.0}),
        ("a: true", {"a": True}),
        ("a: 'No'", {"a": "No"}),
        ("a:", {"a": None}),
        ("a: null", {"a": None}),
        ("a: [x, 2]", {"a": ["x", 2]}),
        ("a: one two", {"a": "one two"}),
        ("", None),
    ],
)
def test_plain_yaml_is_parsed(tmp_path: Path, text: str, value: object) -> None:
    assert _read(tmp_path, text) == value


@pytest.mark.parametrize(
    "word",
    [
        "yes",
        "No",
        "on",
        "OFF",
        "True",
        "NULL",
        "010",
        "0x1f",
        "1e-3",
        "1_000",
        ".5",
        "5.",
        "12:30",
        "2026-01-31",
        ".inf",
        ".nan",
    ],
)
def test_an_ambiguous_bare_word_is_refused_with_its_position(tmp_path: Path, word: str) -> None:
    with pytest.raises(ConfigError, match=r"some\.yaml:1:4: the bare word .* is ambiguous"):
        _read(tmp_path, f"a: {word}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "2:1: the key 'a' is duplicated"),
        ("a: &x 1\nb: *x", "anchors and aliases are not used here"),
        ("a: {<<: {b: 1}}", "is not a text|not used here|ambiguous"),
        ("a:\n\t- 1", "not valid YAML"),
        ("a: [1", "not valid YAML"),
        ("1: a", "the key 1 is not a text"),
        ("a: !!python/object/apply:os.system [ls]", "the tag"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("[" * 40 + "]" * 40, "nested deeper than 32 levels"),
        ("a: " + "x" * 16_000_001, "has 16,000,004 bytes"),
    ],
    ids=["duplicate", "alias", "merge", "tab", "open", "key", "tag", "two documents", "deep", "long"],
)
def test_yaml_that_is_not_plain_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _read(tmp_path, text)


def test_an_alias_bomb_is_refused_before_it_is_built(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(ConfigError, match="anchors and aliases"):
        _read(tmp_path, "\n".join(["a0: &a0 [x]", *levels]))


def test_invalid_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"some\.yaml:2: not UTF-8"):
        read_yaml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_yaml(tmp_path / "none.yaml")


@given(tree=_trees)
def test_accepted_yaml_equals_that_of_pyyaml_and_omegaconf(
    tmp_path_factory: pytest.TempPathFactory, tree: object
) -> None:
    text = yaml.safe_dump({"a": tree}, allow_unicode=True)
    path = tmp_path_factory.mktemp("yaml") / "tree.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        value = read_yaml(path)
    except ConfigError:
        return
    assert value == yaml.safe_load(text)
    if "${" not in text:
        assert value == OmegaConf.to_container(OmegaConf.load(path))
