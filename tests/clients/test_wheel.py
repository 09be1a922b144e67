"""The wheel installs one import name, and the engine works from it without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.client_environments import client_environment, locked_environment
from tests.fixtures.engine_wheel import copy_sources, install_wheel
from tests.fixtures.proof import is_long

if TYPE_CHECKING:
    from tests.fixtures.client_environments import ClientEnvironment

_ROOT = Path(__file__).parents[2]
# What needs packages that a plain installation lacks: the app, clusters, Kafka.
_IMPORTS = """
import importlib, pkgutil, sys
import pipeline
SCRIPTS = {"pipeline.app.main", "pipeline.app.serve", "pipeline.state.migrations.env"}
OPTIONAL = {"streamlit", "altair", "starlette", "dask", "distributed", "ray", "confluent_kafka", "grpc"}
names = [module.name for module in pkgutil.walk_packages(pipeline.__path__, "pipeline.", onerror=lambda name: None)]
missing = {}
for name in names:
    if name.endswith("__main__") or name in SCRIPTS:
        continue
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing[name] = error.name.partition(".")[0]
unexpected = {name: package for name, package in missing.items() if package not in OPTIONAL}
assert not unexpected, unexpected
assert len(names) - len(missing) > 600, (len(names), missing)
assert {name for name in sys.modules if name.partition(".")[0] in ("stages", "app", "tests")} == set()
"""


def _wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _checkout_files(folder: str) -> set[str]:
    paths = (path for path in (_ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(_ROOT).as_posix() for path in paths}


def _mlops(engine: ClientEnvironment, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(engine.folder / "bin" / "mlops"), *words]
    environment = {"PATH": f"{engine.folder / 'bin'}:/usr/bin:/bin", "HOME": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_the_wheel_has_one_import_name(engine_wheel: Path) -> None:
    names = _wheel_names(engine_wheel)
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"pipeline"}


def test_the_wheel_has_every_file_of_the_checkout(engine_wheel: Path) -> None:
    inside = {f"pipeline/{name}" for folder in ("stages", "app", "conf") for name in _checkout_files(folder)}
    names = {name for name in _wheel_names(engine_wheel) if ".dist-info/" not in name}
    built = {"pipeline/graph.yaml", "pipeline/conf/__init__.py"}
    assert names == inside | _checkout_files("pipeline") | built


def test_a_build_in_a_used_checkout_takes_no_credentials_and_no_leftovers(tmp_path: Path) -> None:
    checkout = copy_sources(_ROOT, tmp_path / "checkout")
    planted = ("app/.streamlit/secrets.toml", "conf/base.yaml.old", "build/lib/pipeline/removed.py")
    for name in planted:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("")
    subprocess.run([sys.executable, "setup.py", "--quiet", "build_py"], cwd=checkout, check=True, capture_output=True)
    names = {path.name for path in (checkout / "build" / "lib").rglob("*")}
    assert {"graph.yaml", "base.yaml", "config.toml"} <= names
    assert names.isdisjoint(Path(name).name for name in planted)


def test_the_archive_of_sources_has_what_a_build_needs(engine_wheel: Path) -> None:
    (path,) = engine_wheel.parent.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {
        "setup.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "conf/config.yaml",
        "dvc.yaml",
        "stages/train.py",
        "app/icon.png",
    }
    assert needed <= names


def test_the_metadata_of_wheel_and_sources_are_valid(engine_wheel: Path) -> None:
    files = sorted(str(path) for path in engine_wheel.parent.glob("declarative_mlops-*"))
    assert len(files) == 2
    client_environment("packaging").run("-m", "twine", "check", "--strict", *files, cwd=engine_wheel.parent)


def test_the_wheel_names_its_dependencies_and_its_command(engine_wheel: Path) -> None:
    with zipfile.ZipFile(engine_wheel) as archive:
        files = {Path(name).name: archive.read(name).decode() for name in archive.namelist() if ".dist-info/" in name}
    metadata = Parser().parsestr(files["METADATA"])
    required = {word.partition(">")[0].partition("<")[0] for word in metadata.get_all("Requires-Dist", [])}
    assert {"dvc", "hydra-core", "scikit-learn", "typer"} <= required
    assert "mlops = pipeline.cli:main" in files["entry_points.txt"]


def test_every_module_of_the_wheel_imports_without_the_checkout(
    installed_engine: ClientEnvironment, tmp_path: Path
) -> None:
    installed_engine.run("-W", "ignore", "-c", _IMPORTS, cwd=tmp_path)


def test_commands_without_a_project_work_in_an_empty_folder(
    installed_engine: ClientEnvironment, tmp_path: Path
) -> None:
    ended = _mlops(installed_engine, tmp_path, "--help")
    assert (ended.returncode, "Usage" in ended.stdout, ended.stderr) == (0, True, "")


def _find_python(version: str) -> str | None:
    """Return an interpreter that uv finds on the search path, or one of pyenv's."""
    command = [str(Path(sys.executable).with_name("uv")), "python", "find", "--no-python-downloads", version]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        return ended.stdout.strip()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return next((str(path) for path in sorted(pyenv.glob(f"versions/{version}.*/bin/python"))), None)


@pytest.mark.skipif(not is_long(), reason="the packages of another version of Python take half a minute")
@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_the_wheel_imports_under_other_versions_of_python(engine_wheel: Path, tmp_path: Path, version: str) -> None:
    python = _find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} is installed")
    environment = locked_environment(f"engine-{version}", _ROOT / "requirements" / "run.lock", python=python)
    install_wheel(environment, engine_wheel)
    environment.run("-W", "ignore", "-c", _IMPORTS, cwd=tmp_path)
