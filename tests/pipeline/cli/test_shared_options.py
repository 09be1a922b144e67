"""Timestamps of options, the choice of a model, and the open state database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.shared_options import parse_timestamp, resolve_model
from pipeline.errors import UsageError
from pipeline.registry import ModelRegistry
from tests.pipeline.registry.test_model_registry import NAME

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1971-01-01", datetime(1971, 1, 1, tzinfo=UTC)),
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T12:00:00.250Z", datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_a_timestamp_is_utc_unless_it_has_an_offset(text: str, expected: datetime) -> None:
    assert parse_timestamp(text, option="--at") == round(expected.timestamp() * 1_000_000)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "12:00"])
def test_another_text_is_refused_with_the_name_of_the_option(text: str) -> None:
    with pytest.raises(UsageError, match=r"--until .*: expected ISO 8601, such as 2026-03-01T12:00:00Z"):
        parse_timestamp(text, option="--until")


@pytest.mark.parametrize("text", ["1970-12-31", "9999-01-01", "0001-01-01T00:00:00+23:59"])
def test_a_year_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected a year from 1971 to 9998"):
        parse_timestamp(text, option="--at")


def test_the_model_of_the_settings_is_the_default(model_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model_project)
    registry = ModelRegistry(model_project)
    registry.register_model(model_project / "package_0", "another_model")
    assert [resolve_model(registry, name) for name in (None, NAME, "another_model")] == [NAME, NAME, "another_model"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, f"new_model: no version is registered.*{NAME}.*mlops models register"),
        ("unknown", f"--model unknown: no such model; registered: {NAME}"),
    ],
)
def test_a_model_without_a_version_is_refused_with_the_registered_ones(
    model_project: Path, monkeypatch: pytest.MonkeyPatch, name: str | None, message: str
) -> None:
    monkeypatch.chdir(model_project)
    settings = (model_project / "params.yaml").read_text(encoding="utf-8")
    (model_project / "params.yaml").write_text(settings.replace(f"name: {NAME}", "name: new_model"), encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        resolve_model(ModelRegistry(model_project), name)
