"""Changes of a team and changes of the engine in one tree."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.project_setup.graph_merge import merge_trees

BASE = {"stages": {"a": {"cmd": "run a", "deps": ["x", "y"], "outs": [{"o": {"cache": False}}, "p"]}}}

_names = st.sampled_from(["x", "y", "z"])
_items = st.lists(_names, unique=True, max_size=3)
_trees = st.dictionaries(_names, st.one_of(st.integers(0, 2), _items, st.dictionaries(_names, st.integers(0, 2))))


def with_change(place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """Return the tree BASE with another value at one place."""
    tree = copy.deepcopy(BASE)
    part: Any = tree
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return tree


def merged(own: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(own)
    assert merge_trees(result, BASE, new) == []
    return result


STAGE_B = {"cmd": "run b"}


@pytest.mark.parametrize(
    ("own", "new", "expected"),
    [
        (BASE, with_change(("stages", "a", "cmd"), "other"), with_change(("stages", "a", "cmd"), "other")),
        (with_change(("stages", "b"), STAGE_B), BASE, with_change(("stages", "b"), STAGE_B)),
        (BASE, with_change(("stages", "b"), STAGE_B), with_change(("stages", "b"), STAGE_B)),
        (with_change(("stages", "a", "desc"), "mine"), BASE, with_change(("stages", "a", "desc"), "mine")),
        (BASE, {"stages": {}}, {"stages": {}}),
    ],
)
def test_a_change_of_one_side_is_taken(own: dict[str, Any], new: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merged(own, new) == expected


@pytest.mark.parametrize(
    ("own", "new", "expected"),
    [
        (["x", "y", "mine"], ["x", "new"], {"x", "mine", "new"}),
        (["y"], ["x", "y", "new"], {"y", "new"}),
        ([], ["x", "y", "new"], {"new"}),
        (["x", "y", "same"], ["x", "y", "same"], {"x", "y", "same"}),
    ],
)
def test_items_that_both_sides_add_and_remove_combine(own: list[str], new: list[str], expected: set[str]) -> None:
    place = ("stages", "a", "deps")
    assert set(merged(with_change(place, own), with_change(place, new))["stages"]["a"]["deps"]) == expected


def test_options_of_an_output_are_merged() -> None:
    place = ("stages", "a", "outs")
    own = with_change(place, [{"o": {"cache": False, "desc": "mine"}}, "p"])
    new = with_change(place, [{"o": {"cache": False, "persist": True}}, "p"])
    assert merged(own, new)["stages"]["a"]["outs"] == [{"o": {"cache": False, "desc": "mine", "persist": True}}, "p"]


@pytest.mark.parametrize(
    ("place", "mine", "theirs", "named"),
    [
        (("stages", "a", "cmd"), "mine", "theirs", 'stages.a.cmd: you have "mine", the engine now has "theirs"'),
        (("stages", "a", "deps"), "x", ["z"], "stages.a.deps"),
        (("stages", "a"), {"cmd": "mine"}, None, "stages.a: you have"),
        (("stages", "a", "outs"), [{"o": 1, "p": 2}], ["q"], "stages.a.outs"),
    ],
)
def test_values_that_both_sides_changed_are_named(
    place: tuple[str, ...], mine: object, theirs: object, named: str
) -> None:
    new = with_change(place, theirs) if theirs is not None else {"stages": {}}
    conflicts = merge_trees(with_change(place, mine), BASE, new)
    assert len(conflicts) == 1
    assert named in str(conflicts[0])


@given(_trees, _trees)
@settings(deadline=None)
def test_an_untouched_tree_becomes_the_new_one(base: dict[str, Any], new: dict[str, Any]) -> None:
    own = copy.deepcopy(base)
    assert merge_trees(own, base, new) == []
    assert sorted_lists(own) == sorted_lists(new)


@given(_trees, _trees)
@settings(deadline=None)
def test_without_a_change_of_the_engine_own_edits_stay(base: dict[str, Any], own: dict[str, Any]) -> None:
    result = copy.deepcopy(own)
    assert merge_trees(result, base, base) == []
    assert result == own


@given(_trees, _trees, _trees)
@settings(deadline=None)
def test_a_second_merge_changes_nothing(base: dict[str, Any], own: dict[str, Any], new: dict[str, Any]) -> None:
    once = copy.deepcopy(own)
    if merge_trees(once, base, new):
        return
    for recorded in (base, new):
        twice = copy.deepcopy(once)
        assert merge_trees(twice, recorded, new) == []
        assert twice == once


def sorted_lists(tree: Any) -> Any:
    """Return a tree in which the order of lists, which are sets to DVC, does not count."""
    if isinstance(tree, dict):
        return {key: sorted_lists(value) for key, value in tree.items()}
    return sorted(tree) if isinstance(tree, list) else tree
