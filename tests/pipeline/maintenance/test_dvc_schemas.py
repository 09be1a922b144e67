"""Files are judged by the schemas of DVC itself, which this test names: `COMPILED_LOCKFILE_SCHEMA` and `SCHEMA`."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.maintenance.dvc_schemas import is_dvc_lock, is_dvc_rwlock

STAGE = {"cmd": "x", "deps": [{"path": "a", "md5": "abc"}], "outs": [{"path": "b"}], "params": {"p.yaml": {"k": 1}}}


def lock(**changes: Any) -> dict[str, Any]:
    return {"schema": "2.0", "stages": {"one": {**STAGE, **changes}}}


@pytest.mark.parametrize("values", [lock(), {"schema": "2.0", "stages": {}}, {"schema": "2.0"}])
def test_a_lock_file_that_dvc_writes_is_accepted(values: Any) -> None:
    assert is_dvc_lock(values)


@pytest.mark.parametrize(
    "values",
    [None, [], "a", {}, {"stages": {}}, lock(cmd=None), lock(deps=5), lock(outs=[{"path": None}]), lock(more=1)],
)
def test_a_lock_file_of_another_structure_is_refused(values: Any) -> None:
    assert not is_dvc_lock(values)


@pytest.mark.parametrize("values", [{}, {"read": {}, "write": {"a": {"pid": 1, "cmd": "dvc repro"}}}])
def test_a_note_of_running_commands_that_dvc_writes_is_accepted(values: Any) -> None:
    assert is_dvc_rwlock(values)


@pytest.mark.parametrize("values", [None, [], {"lock": {}}, {"write": {"a": {"pid": "1", "cmd": "x"}}}])
def test_a_note_of_another_structure_is_refused(values: Any) -> None:
    assert not is_dvc_rwlock(values)
