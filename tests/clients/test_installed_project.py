"""A project on installed wheels: from `mlops init` to `mlops upgrade`, with KServe's client in between."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from pipeline.config.default_settings import shipped_settings
from pipeline.files import write_json
from pipeline.project.stage_digests import code_digests, engine_version
from tests.fixtures.client_environments import ClientEnvironment, client_environment, locked_environment
from tests.fixtures.engine_wheel import build_wheel, copy_sources, install_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).parents[2]
_OLDER = "0.0.9"
_TIMEOUT_S = 600
_KSERVE_CALL = """
import asyncio, json, sys
from kserve import InferInput, InferRequest, InferenceRESTClient
from kserve.inference_client import RESTConfig
inputs = [
    InferInput("calls", [2], "INT64", [0, 9]),
    InferInput("days", [2], "INT64", [800, 10]),
    InferInput("plan", [2], "BYTES", ["basic", "pro"]),
]
request = InferRequest("churn_model", inputs)
client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
response = asyncio.run(client.infer(sys.argv[1], request, model_name="churn_model"))
print(json.dumps({output.name: output.data for output in response.outputs}))
"""


@dataclass(frozen=True, slots=True)
class InstalledProject:
    """A folder, and an environment in which the engine is installed; the checkout is out of sight."""

    folder: Path
    engine: ClientEnvironment

    def start(self, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start a program of the environment."""
        bin_folder = self.engine.folder / "bin"
        environment = {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "HOME": str(self.folder.parent),
            "DVC_NO_ANALYTICS": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
            **{
                f"GIT_{role}_{key}": "tests@example.org"
                for role in ("AUTHOR", "COMMITTER")
                for key in ("NAME", "EMAIL")
            },
        }
        program = bin_folder / words[0] if (bin_folder / words[0]).exists() else words[0]
        return subprocess.Popen(
            [str(program), *words[1:]],
            cwd=cwd or self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, cwd: Path | None = None, code: int = 0) -> str:
        """Run a program, check its exit code, and return what it printed."""
        process = self.start(*words, cwd=cwd)
        out, err = process.communicate(timeout=_TIMEOUT_S)
        assert process.returncode == code, f"{' '.join(words)}: exit {process.returncode}\n{out}\n{err}"
        return out + err

    def stages_of_repro(self) -> list[str]:
        """Run `dvc repro` and return the stages that ran."""
        return re.findall(r"Running stage '(\w+)'", self.run("dvc", "repro"))

    def commit(self, message: str) -> None:
        """Commit every file that git does not ignore."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)


def build_older_wheel(folder: Path) -> Path:
    """Build this checkout as an earlier version with another default and another stage module."""
    sources = copy_sources(_ROOT, folder / "older")
    replacements = {
        "pyproject.toml": (f'version = "{engine_version()}"', f'version = "{_OLDER}"'),
        "conf/drift/default.yaml": ("alpha: 0.02", "alpha: 0.2"),
        "stages/register.py": ('"""', '"""Earlier: '),
    }
    for name, (now, then) in replacements.items():
        text = (sources / name).read_text(encoding="utf-8")
        assert now in text, f"{name}: {now!r} not found; name another difference"
        (sources / name).write_text(text.replace(now, then, 1), encoding="utf-8")
    write_json(sources / "pipeline/config/default_settings.json", shipped_settings(sources / "conf"))
    return build_wheel(sources, folder)


def write_rows(path: Path) -> Path:
    """Write 1,000 rows whose class follows from two columns, with some noise."""
    random = Random(7)
    lines = ["customer_id,days,plan,calls,churned"]
    for row in range(1_000):
        days, plan, calls = random.randint(0, 900), random.choice(("basic", "pro", "team")), random.randint(0, 9)
        score = 3 * calls - days / 60 + random.gauss(0, 4)
        lines.append(f"c{row:04},{days},{plan},{calls},{'yes' if score > 5 else 'no'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@contextmanager
def served(project: InstalledProject) -> Iterator[str]:
    """Yield the address of `mlops serve`, which is stopped at the end."""
    process = project.start("mlops", "serve", "--port", "0")
    try:
        yield address_of(process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def address_of(process: subprocess.Popen[str]) -> str:
    """Wait for the line of a server that names its address."""
    assert process.stderr is not None
    deadline = time.monotonic() + 120
    seen = ""
    while time.monotonic() < deadline:
        if select.select([process.stderr], [], [], 0.2)[0]:
            seen += os.read(process.stderr.fileno(), 1 << 16).decode()
        if (found := re.search(r'"address": ?"([^"]+)"', seen)) is not None:
            return found[1]
        assert process.poll() is None, seen
    raise AssertionError(f"no address in time: {seen}")


def test_the_digests_of_the_wheel_are_those_of_the_checkout(
    installed_engine: ClientEnvironment, tmp_path: Path
) -> None:
    code = "import json; from pipeline.project.stage_digests import code_digests; print(json.dumps(code_digests()))"
    assert json.loads(installed_engine.run("-c", code, cwd=tmp_path)) == code_digests()


def test_a_project_lives_from_init_over_serving_to_an_upgrade(engine_wheel: Path, tmp_path: Path) -> None:
    engine = locked_environment("project", _ROOT / "requirements" / "run.lock")
    install_wheel(engine, build_older_wheel(tmp_path))
    project = InstalledProject(tmp_path / "churn", engine)
    create_and_train(project, write_rows(tmp_path / "churn.csv"))
    serve_and_call(project)
    install_wheel(engine, engine_wheel)
    refuse_other_code(project)
    upgrade_and_repeat(project)


def create_and_train(project: InstalledProject, rows: Path) -> None:
    """Make the project from a file of rows, and run its graph once."""
    printed = project.run(
        "mlops", "init", str(project.folder), "--from", str(rows), "--target", "churned", cwd=rows.parent
    )
    assert f"a project on declarative-mlops {_OLDER}" in printed
    assert "features: days, plan, calls" in printed
    config = project.folder / "conf" / "config.yaml"
    config.write_text(config.read_text().replace("model: hist_gradient_boosting", "model: logistic_regression"))
    project.commit("Start the project")
    stages = ["compose", "ingest", "validate", "split", "train", "evaluate", "register"]
    assert project.stages_of_repro() == stages
    (version,) = json.loads(project.run("mlops", "models", "list", "--json"))
    assert (version["version"], version["stage"]) == (1, "Production")
    project.commit("Run the graph")


def serve_and_call(project: InstalledProject) -> None:
    """Serve the version, and call it with KServe's own client."""
    with served(project) as address:
        printed = client_environment("kserve").run("-c", _KSERVE_CALL, address, cwd=project.folder)
    outputs = json.loads(printed.splitlines()[-1])
    assert outputs["prediction"] == ["no", "yes"]


def refuse_other_code(project: InstalledProject) -> None:
    """Check that a stage, doctor and status name the difference and the way out."""
    message = (
        f"the installed engine {engine_version()} differs from the project's {_OLDER} in stages compose, register;"
        " run `mlops upgrade`"
    )
    assert message in project.run("python", "-m", "pipeline.stages.compose", code=6)
    assert message in project.run("mlops", "status")


def upgrade_and_repeat(project: InstalledProject) -> None:
    """Upgrade the project, and check that only the stages with other code run again, once."""
    planned = project.run("mlops", "upgrade", "--dry-run")
    assert project.run("git", "status", "--porcelain") == ""
    printed = project.run("mlops", "upgrade")
    for text in (planned, printed):
        assert f"declarative-mlops {_OLDER} -> {engine_version()}" in text
        assert "drift.alpha: 0.2 -> 0.02: " in text
        assert "  compose: its code changed\n  register: its code changed\n" in text
    changed = set(project.run("git", "diff", "--name-only").split())
    assert changed == {"engine/compose.digest", "engine/engine.json", "engine/register.digest", "requirements.txt"}
    assert project.stages_of_repro() == ["compose", "register"]
    assert "alpha: 0.02" in (project.folder / "params.yaml").read_text()
    assert project.stages_of_repro() == []
    assert "nothing changed" in project.run("mlops", "upgrade")
