"""The steps of the Dockerfile are carried out, and what comes out of them serves as its user, from a read-only root.

`MLOPS_IMAGE=full` installs from the locks by pip, as a container engine would. Otherwise the installed packages are
linked.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.deploy import dockerfile
from tests.fixtures.server_process import ROW, _wait_for_address, make_project

if TYPE_CHECKING:
    from collections.abc import Iterator

# One worker packs the models that these tests share.
pytestmark = pytest.mark.xdist_group("deploy")

USER = 10001
IS_FULL_BUILD = os.environ.get("MLOPS_IMAGE") == "full"
STAGES = dockerfile.read_stages()
TARGETS = ("api", "app", "pipeline")
# What a person finds out about the result, from inside.
_INSPECT_SCRIPT = """
import importlib.util as u, os, json, pathlib
names = ["mlflow", "dvc", "hydra", "streamlit", "pandera", "pip", "setuptools", "pytest"]
def can_write(place):
    try: pathlib.Path(place, ".try").touch(); return True
    except OSError: return False
print(json.dumps({"found": [n for n in names if u.find_spec(n)], "uid": os.getuid(), "groups": os.getgroups(),
    "writable": [p for p in ("/", "/app", "/opt/venv", "/app/state", "/tmp") if can_write(p)],
    "build": os.path.exists("/build")}))
"""


def _can_mount() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0


@pytest.fixture(scope="module")
def image(two_packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """The image of the API, built and started in its own mount namespace."""
    if not _can_mount():
        pytest.skip("mounting needs root; buildah builds the same file: docs/how-to/deploy.md")
    base = tmp_path_factory.mktemp("image")
    make_project(base / "project", [two_packages[0]])
    state = base / "project/state"
    for path in (state, *state.rglob("*")):
        shutil.chown(path, USER, USER)
    place = base / "build"
    place.mkdir()
    program = (
        dockerfile.build_script(STAGES, "api", place, is_full=IS_FULL_BUILD)
        + "\n"
        + _start_script(place / "api/root", state)
    )
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.wait(timeout=10)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _start_script(root: Path, state: Path) -> str:
    stage = STAGES["api"]
    variables = " ".join(f"{key}='{value}'" for key, value in dockerfile.stage_environment(STAGES, stage).items())
    words = [*stage.exec_form("ENTRYPOINT"), "--host", "127.0.0.1", "--port", "0"]
    # Only root can read the interpreter that replaces the one of the base image; its packages are beside the tests.
    gates = {str(p) for place in (sys.base_prefix, sys.prefix) for p in Path(place).parents if p != Path("/")}
    hidden = [place for place in {sys.base_prefix, sys.prefix} if place.startswith("/tmp/")]  # by the tmpfs below
    shown = "\n".join(f"mkdir -p {root}{path}\nmount --bind {path} {root}{path}" for path in hidden)
    inside = f"env -i {variables} chroot --userspec={stage.last_instruction('USER')} --groups={USER} {root}"
    return f"""
chmod a+rx {" ".join(f"{root}{path}" for path in sorted(gates))}
mount --bind {state} {root}/app/state
mount -t tmpfs -o mode=1777 tmpfs {root}/tmp
{shown}
mount -o remount,ro {root}
{inside} sh -c "cd /app && exec python -c '{_INSPECT_SCRIPT.replace('"', chr(92) + '"')}'"
exec {inside} sh -c "cd /app && exec {" ".join(words)}"
"""


def test_the_image_predicts_as_an_unprivileged_user(image: subprocess.Popen[str]) -> None:
    started = _wait_for_address(image, 300 if IS_FULL_BUILD else 120)
    assert image.stdout is not None
    inside = json.loads(image.stdout.readline())
    with httpx.Client(base_url=started["address"], timeout=10) as client:
        ready, prediction = client.get("/readyz"), client.post("/predict", json={"features": ROW})
    image.send_signal(signal.SIGTERM)
    assert (ready.status_code, prediction.status_code, image.wait(timeout=20)) == (200, 200, 0)
    assert inside == {"found": [], "uid": USER, "groups": [USER], "writable": ["/app/state", "/tmp"], "build": False}


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_runs_as_an_unprivileged_user_and_as_process_1(target: str) -> None:
    stage = STAGES[target]
    assert (stage.last_instruction("USER"), stage.exec_form("ENTRYPOINT") != []) == (f"{USER}:{USER}", True)


@pytest.mark.parametrize("target", TARGETS)
def test_build_tools_are_not_in_the_final_image(target: str) -> None:
    line, stage = [], STAGES[target]
    while stage.base in STAGES:
        line.append(stage.name)
        stage = STAGES[stage.base]
    assert (line, stage.name) == ([target], "base")


def test_every_package_is_installed_by_its_hash() -> None:
    commands = [
        command
        for stage in STAGES.values()
        for kind, argument in stage.steps
        if kind == "RUN"
        for command in argument.split("&&")
    ]
    installs = [command for command in commands if re.search(r"pip\S*( --python \S+)? install", command)]
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps --no-index" not in line] == []
    assert len(installs) >= 5


@pytest.mark.parametrize("lock", ["serving", "scale"])
def test_the_lock_of_an_image_holds_nothing_that_the_full_locks_do_not(lock: str) -> None:
    def lines(name: str) -> set[str]:
        text = (dockerfile.ROOT / name).read_text(encoding="utf-8")
        return {line.split()[0] for line in text.splitlines() if "==" in line}

    assert lines(f"requirements/{lock}.lock") - lines("requirements/run.lock") - lines("requirements/dev.lock") == set()


def test_the_dockerfile_passes_the_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [linter, "-c", "deploy/docker/hadolint.yaml", dockerfile.DOCKERFILE],
        cwd=dockerfile.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
