"""A second clone pulls the results of the first one, registers the candidate and serves it."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("second clone")

PULL = "run `dvc pull` or `dvc repro`, then `mlops models register`"
REGISTER = "run `mlops models register`"


@pytest.fixture(scope="module")
def shared(finished_small: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `git`, a bare repository, and `cache`, the folder of the DVC remote that it names."""
    folder = tmp_path_factory.mktemp("shared")
    first = finished_small.copy(folder / "first")
    first.run("git", "init", "-q", "--bare", "-b", "main", str(folder / "git"))
    first.run("dvc", "remote", "add", "--default", "store", str(folder / "cache"))
    first.run("dvc", "push", "-q")
    first.commit("Share the results")
    first.run("git", "push", "-q", str(folder / "git"), "main")
    return folder


@pytest.fixture(scope="module")
def clone(shared: Path) -> Workspace:
    """A clone in which no command has run."""
    outside = Workspace(shared)
    outside.run("git", "clone", "-q", str(shared / "git"), "second")
    return Workspace(shared / "second")


def test_a_clone_is_led_from_its_empty_registry_to_a_served_version(clone: Workspace) -> None:
    assert _hints(clone) == [PULL] * 5
    clone.run("dvc", "pull", "-q")
    assert clone.repro() == set()
    assert _hints(clone) == [REGISTER] * 5
    _register(clone)
    assert "Version 1 (1.0.0) is in Production and passed its gates" in clone.run("mlops", "status").stdout
    assert clone.run("git", "status", "--short").stdout == ""
    _serve(clone)


def test_a_clone_registers_and_serves_what_it_pulls_from_an_object_store(
    shared: Path, s3_bucket: str, tmp_path: Path
) -> None:
    first = Workspace(shared / "first")
    first.run("git", "switch", "-q", "-c", "objects")
    first.run("dvc", "remote", "add", "--default", "objects", f"{s3_bucket}/cache")
    first.run("dvc", "push", "-q")
    first.commit("Share the results in an object store")
    first.run("git", "push", "-q", str(shared / "git"), "objects")
    first.run("git", "switch", "-q", "main")
    Workspace(tmp_path).run("git", "clone", "-q", "-b", "objects", str(shared / "git"), "clone")
    clone = Workspace(tmp_path / "clone")
    clone.run("dvc", "pull", "-q")
    _register(clone)
    _serve(clone)


def _register(clone: Workspace) -> None:
    clone.run("mlops", "models", "register")
    (version,) = json.loads(clone.run("mlops", "models", "list", "--json").stdout)
    assert (version["version"], version["stage"]) == (1, "Production")


def _serve(clone: Workspace) -> None:
    with (
        clone.serving("mlops", "serve") as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as response,
    ):
        assert response.status == 200


def _hints(clone: Workspace) -> list[str]:
    """Return the next command that each message about the empty registry ends with."""
    commands = (
        ("models", "list"),
        ("promote", "1"),
        ("rollback", "--reason", "a look"),
        ("predict", "data/test.parquet", "-o", "out.csv"),
        ("status",),
    )
    printed = []
    for words in commands:
        run = clone.run("mlops", *words, expect=0 if words[0] in ("models", "status") else 2)
        printed.append(run.stdout + run.stderr)
    return [hint for text in printed for hint in (PULL, REGISTER) if hint in text]


def test_gto_registers_a_release_of_the_package_that_dvc_gets_by_name(shared: Path, tmp_path: Path) -> None:
    first = Workspace(shared / "first")
    first.run("gto", "register", "model", "--version", "v1.0.0")
    assert json.loads(first.run("gto", "show", "--json").stdout)["model"]["version"] == "v1.0.0"
    first.run("git", "push", "-q", "--tags", str(shared / "git"))
    Workspace(tmp_path).run("dvc", "artifacts", "get", str(shared / "git"), "model", "--rev", "v1.0.0", "-o", "package")
    assert (tmp_path / "package/manifest.json").read_bytes() == (
        first.root / "models/candidate/manifest.json"
    ).read_bytes()
