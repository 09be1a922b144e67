"""A version is opened with its package: the one in Production, or one by its number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.cli.opened_version import open_version
from pipeline.errors import UsageError
from tests.fixtures.registered_project import NAME, package_folder, promote

if TYPE_CHECKING:
    from pathlib import Path


def test_the_version_in_production_is_the_default(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    for version, expected in ((None, 1), (2, 2)):
        with open_version(NAME, version) as opened:
            assert (opened.version, opened.package.digest) == (expected, package_folder(project, expected).name)


def test_without_a_version_in_production_the_error_has_the_next_command(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    promote(project, 1, "Archived")
    with pytest.raises(UsageError, match=f"no version of {NAME} is in Production; "), open_version(NAME, None):
        pass
