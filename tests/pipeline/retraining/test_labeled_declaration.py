"""A snapshot becomes the source of a problem with the fewest changed lines."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest

from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError
from pipeline.retraining.labeled_declaration import declare_snapshot

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOT = "data/external/labeled/m-1.parquet"
FLOW = """\
# Which class?
name: toy
source: {kind: csv, path: data/external/rows.csv, null_values: ["", "no"]}  # as the clinic sends it
profile: null
# The target.
target: {column: y, classes: ["No", "Yes"]}
"""
BLOCK = """\
# Which class?
source:
  kind: synthetic
  rows: 10
# The target.
target: {column: y}
"""


def declared(
    folder: Path, text: str, *, history_at: str | None = "2026-01-31T00:00:00"
) -> tuple[list[str], dict[str, object]]:
    """Return the lines that a declaration changes, and what the file then declares."""
    (folder / "conf/data").mkdir(parents=True)
    (folder / "conf/config.yaml").write_text("defaults:\n  - _self_\n  - data: toy\n", encoding="utf-8")
    file = folder / "conf/data/toy.yaml"
    file.write_text(text, encoding="utf-8")
    changed = declare_snapshot(folder, SNAPSHOT, half_life_days=56.0, history_at=history_at)
    assert changed.as_posix() == "conf/data/toy.yaml"
    lines = difflib.ndiff(text.splitlines(), file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line.startswith(("-", "+"))], read_yaml(file)


def test_the_declared_source_becomes_the_history_in_lines_of_its_own(tmp_path: Path) -> None:
    lines, values = declared(tmp_path, FLOW)
    assert [line for line in lines if line.startswith("-")] == [f"- {FLOW.splitlines()[2]}"]
    assert values["source"] == {
        "kind": "labeled",
        "path": SNAPSHOT,
        "half_life_days": 56.0,
        "history": {"kind": "csv", "path": "data/external/rows.csv", "null_values": ["", "no"]},
        "history_at": "2026-01-31T00:00:00",
    }


def test_comments_after_a_block_stay_and_a_generated_history_needs_its_profile(tmp_path: Path) -> None:
    lines, values = declared(tmp_path, BLOCK)
    assert not any("target" in line for line in lines)
    assert values["source"]["history"] == {"kind": "synthetic", "rows": 10}  # type: ignore[index]
    assert "profile" not in values


def test_without_the_source_no_profile_is_left(tmp_path: Path) -> None:
    _, values = declared(tmp_path, BLOCK, history_at=None)
    assert (values["source"], values["profile"]) == (
        {"kind": "labeled", "path": SNAPSHOT, "half_life_days": 56.0},
        None,
    )


def test_a_file_without_a_final_newline_stays_valid(tmp_path: Path) -> None:
    _, values = declared(tmp_path, "name: toy\nsource: {kind: bundled, name: iris}")
    assert (values["name"], values["profile"]) == ("toy", None)


def test_the_history_of_an_earlier_snapshot_stays(tmp_path: Path) -> None:
    earlier = "source: {kind: labeled, path: data/external/labeled/m-0.parquet, history: {kind: bundled, name: iris}}\n"
    _, values = declared(tmp_path, earlier)
    assert values["source"] == {
        "kind": "labeled",
        "path": SNAPSHOT,
        "half_life_days": 56.0,
        "history": {"kind": "bundled", "name": "iris"},
    }


def test_a_problem_without_a_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"conf/data/toy.yaml: has no key source"):
        declared(tmp_path, "name: toy\n")
