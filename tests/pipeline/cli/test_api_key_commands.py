"""`mlops keys` creates, lists and revokes API keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.cli import CliRun, CliRunner

    Keys = Callable[..., CliRun]


@pytest.fixture
def keys(model_project: Path, run_cli: CliRunner) -> Keys:
    return lambda *words: run_cli("keys", *words, cwd=model_project)


def test_without_keys_the_list_names_the_next_command(keys: Keys) -> None:
    assert keys("list").out == "no keys; create one with `mlops keys create --role predict`\n"


def test_create_prints_the_key_alone_and_the_notice_as_an_error(keys: Keys) -> None:
    run = keys("create", "--role", "predict", "--name", "shop", "--days", "7")
    assert run.exit_code == 0
    assert run.out.startswith("mlops_")
    assert len(run.out.splitlines()) == 1
    assert run.err.endswith("role predict, expires in 7 days; the key is not shown again\n")


def test_list_shows_owner_role_and_last_use_but_no_key(keys: Keys) -> None:
    key = keys("create", "--role", "viewer", "--name", "grafana").out.strip()
    line = keys("list").out
    assert key not in line
    assert line.split()[1:3] == ["viewer", "until"]
    assert line.endswith("last used never  grafana\n")


def test_a_revoked_key_is_listed_as_revoked(keys: Keys) -> None:
    record = json.loads(keys("create", "--role", "admin", "--json").out)
    assert "  revoked  " in keys("revoke", record["id"], "--reason", "lost").out
    (listed,) = json.loads(keys("list", "--json").out)
    assert listed["revoked_at"] is not None
    assert "key" not in listed


def test_days_must_be_positive(keys: Keys) -> None:
    run = keys("create", "--role", "predict", "--days", "0")
    assert (run.exit_code, "--days" in run.err) == (2, True)
