"""Each example on a fresh clone ends with one sentence that names the missing command."""

from __future__ import annotations

import runpy
import shutil
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SERVER = "start one with `mlops serve`"
# By file name: the words after it, and what its last message names.
EXAMPLES = {
    "mlops_demo.py": ((), "run `dvc repro`"),
    "load_generator.py": (("--seconds", "1"), SERVER),
    "prediction_client.py": (("--row", '{"Time_spent_Alone": 4}'), SERVER),
}


def test_every_example_is_listed() -> None:
    # The closed loop makes a project of its own, and needs no command before it.
    others = {"closed_loop.py", "simulated_project.py"}
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == {*EXAMPLES, *others}


@pytest.mark.usefixtures("heavy_computation")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_names_the_missing_command(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / file, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    words, message = EXAMPLES[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, *(("--url", address) if words else ()), *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    assert message in str(ended.value.code)
    assert "\n" not in str(ended.value.code)
