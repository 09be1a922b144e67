"""The tracking store is reachable, unreachable, new or not checked."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pipeline.config.config_loader import build_config
from pipeline.tracking.tracking_probe import probe_tracking
from tests.fixtures.composed_config import composed

if TYPE_CHECKING:
    from pathlib import Path


def _probe(root: Path) -> tuple[str, str]:
    facts = probe_tracking(root, build_config(composed().values, where="conf/").tracking, timeout_s=0.5)
    return facts.condition, f"{facts.address} {facts.detail}"


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_project_without_a_run_has_a_new_store_and_gets_no_file(tmp_path: Path) -> None:
    assert _probe(tmp_path)[0] == "new"
    assert list(tmp_path.iterdir()) == []


def test_a_store_with_tables_is_reachable(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    assert _probe(tmp_path)[0] == "reachable"


def test_a_damaged_store_is_unreachable_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database " * 500)
    condition, detail = _probe(tmp_path)
    assert (condition, "file is not a database" in detail) == ("unreachable", True)


@pytest.mark.parametrize(
    ("address", "condition"),
    [
        ("http://ada:secret@127.0.0.1:9", "unreachable"),  # pragma: allowlist secret
        ("postgresql://ada:secret@127.0.0.1:9/x", "not_checked"),  # pragma: allowlist secret
    ],
)
def test_an_address_is_shown_without_credentials(
    address: str, condition: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    found, detail = _probe(tmp_path)
    assert (found, "secret" in detail, "127.0.0.1:9" in detail) == (condition, False, True)
