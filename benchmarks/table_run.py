"""Take a table from file to served and monitored model as its owner does, without an edit."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from tests.fixtures.workspace import CommandFailed, Workspace, create_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from table_catalog import Table

__all__ = ["TableRun", "declare_table", "read_as_owner", "run_table"]

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = re.compile(r"^(\[compose\]|Stage |Running stage|'.*' didn't change|\s*$|> |Updating|To track|To enable)")
_N_ROWS_SENT = 3


@dataclass(slots=True)
class TableRun:
    """How far a table came: the last finished step, the sentence that stopped it, and seconds of each step."""

    name: str
    step: str = "none"
    served: bool = False
    sentence: str = ""
    gates: str = ""
    monitor: str = ""
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def run_table(table: Table, file: Path, folder: Path) -> TableRun:
    """Run every step in a copy of the project at `folder`; the first step that fails ends the run."""
    project, run = create_workspace(folder), TableRun(table.name)
    for step, work in _STEPS.items():
        started = time.perf_counter()
        try:
            work(project, table, file, run)
        except (CommandFailed, urllib.error.URLError, AssertionError, KeyError, ValueError) as error:
            run.sentence = f"{step}: {_sentence(error)}"
            (folder / f"failed_{step}.log").write_text(_message(error), encoding="utf-8")
            break
        finally:
            run.seconds[step] = round(time.perf_counter() - started, 1)
        run.step = step
    run.served = run.step in {"serve", "file", "monitor"}
    return run


def read_as_owner(table: Table, file: Path) -> pd.DataFrame:
    """Read a table as its owner does in a notebook: pandas with the options that the file needs."""
    if table.form == "parquet":
        return pd.read_parquet(file)
    if table.form == "excel":
        return pd.read_excel(file)
    if table.form == "json_lines":
        return pd.read_json(file, lines=True)
    options = {
        "write.csv2": {"sep": ";", "decimal": ","},
        "write.table": {"sep": "\t"},
        "utf_16": {"encoding": "utf-16"},
    }.get(table.form, {})
    frame = pd.read_csv(file, **options)
    return frame.drop(columns="Unnamed: 0", errors="ignore")  # pandas' name of a column without one: the row numbers


@contextmanager
def declare_table(table: Table, file: Path, folder: Path) -> Iterator[Path]:
    """Yield a copy of the project with the drafted declaration of a table; remove it afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    project, run = create_workspace(folder), TableRun(table.name)
    try:
        for step in ("add", "init"):
            _STEPS[step](project, table, file, run)
        yield project.root
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _message(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}: {error.read().decode()}"
    return str(error)


def _sentence(error: BaseException) -> str:
    lines = [_COLORS.sub("", line).strip() for line in _message(error).splitlines()]
    lines = [line for line in lines if line and not _NOISE.match(line)]
    errors = [line for line in lines if re.match(r"(error|ERROR|critical|Error)\b|.*: error", line)]
    return " | ".join((errors or lines)[-4:])[:700]


def _add(project: Workspace, _: Table, file: Path, __: TableRun) -> None:
    project.run("mlops", "data", "add", str(file))


def _init(project: Workspace, table: Table, _: Path, run: TableRun) -> None:
    printed = project.run("mlops", "data", "init", table.file, "--target", table.target, "--name", table.name)
    (project.root / "init.log").write_text(printed.stdout + printed.stderr, encoding="utf-8")
    run.notes = [line for line in printed.stdout.splitlines() if line.strip()][:40]


def _check(project: Workspace, table: Table, _: Path, __: TableRun) -> None:
    project.run("mlops", "data", "check", f"data/external/{table.file}", "--data", table.name)


def _graph(project: Workspace, table: Table, _: Path, __: TableRun) -> None:
    printed = project.run("dvc", "exp", "run", "-S", f"data={table.name}")
    (project.root / "graph.log").write_text(printed.stdout + printed.stderr, encoding="utf-8")


def _register(project: Workspace, _: Table, __: Path, run: TableRun) -> None:
    # A rejected candidate is registered, too, and ends with exit code 5.
    printed = project.run("bash", "-c", "mlops models register --json || [ $? = 5 ]").stdout
    run.gates = str(json.loads(printed)["tags"]["gates"]["verdict"])
    if run.gates != "promote":
        project.run("mlops", "promote", "1", "--force", "--reason", f"the gates say {run.gates}; a first version")
        run.gates = f"{run.gates}, promoted by a person"


def _serve(project: Workspace, table: Table, file: Path, _: TableRun) -> None:
    frame = read_as_owner(table, file)
    rows = json.loads(frame.iloc[[0, len(frame) // 2, -1]].to_json(orient="records", date_format="iso"))
    text = frame.head(_N_ROWS_SENT).to_csv(index=False)
    with project.serving("mlops", "serve") as port:
        for row in rows:
            _post(port, "/predict", json.dumps({"features": row}).encode(), kind="application/json")
        _post(port, "/predict/batch", text.encode(), kind="text/csv")


def _post(port: int, path: str, body: bytes, *, kind: str) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def _score_file(project: Workspace, table: Table, _: Path, __: TableRun) -> None:
    project.run("mlops", "predict", f"data/external/{table.file}", "--output", "scored.csv", "--log")


def _monitor(project: Workspace, _: Table, __: Path, run: TableRun) -> None:
    command = ("mlops", "monitor", "report", "--json")
    answer = subprocess.run(
        command, cwd=project.root, env=project.environment(), capture_output=True, text=True, check=False
    )
    if answer.returncode not in {0, 4}:
        raise CommandFailed(f"monitor report ended with {answer.returncode}\n{answer.stdout}\n{answer.stderr}")
    drift = json.loads(answer.stdout)["drift"]
    run.monitor = f"{drift['verdict']}, drifted: {', '.join(drift['drifted_features']) or 'none'}"


_STEPS: dict[str, Callable[[Workspace, Table, Path, TableRun], None]] = {
    "add": _add,
    "init": _init,
    "check": _check,
    "graph": _graph,
    "register": _register,
    "serve": _serve,
    "file": _score_file,
    "monitor": _monitor,
}
