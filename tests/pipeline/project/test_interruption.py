"""SIGINT and SIGTERM at any moment of a stage: the same sentence, the same code, and earlier outputs back."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.project.stage_runs import load_stage_runs
from tests.fixtures.proof import proof_rounds

REPOSITORY = Path(__file__).parents[3]
CONTENT = b"earlier\n"
OUTPUTS = {
    "compose": "reports/config_origin.json",
    "ingest": "data/source.json",
    "train": "models/candidate",
    "evaluate": "reports/model_card.md",
    "register": "reports/registration.json",
}
SENTENCE = "stopped; earlier outputs are intact\n"


@pytest.fixture
def removed(tmp_path: Path) -> Path:
    """A project whose locked outputs DVC has removed before it runs a stage; the cache holds them."""
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    cached = tmp_path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(CONTENT)
    blocks = [f"  {stage}: {{cmd: x, outs: [{path}]}}" for stage, path in OUTPUTS.items()]
    (tmp_path / "dvc.yaml").write_text("\n".join(["stages:", *blocks]), encoding="utf-8")
    locked = [f"  {stage}: {{cmd: x, outs: [{{path: {path}, md5: {md5}}}]}}" for stage, path in OUTPUTS.items()]
    (tmp_path / "dvc.lock").write_text("\n".join(["schema: '2.0'", "stages:", *locked]), encoding="utf-8")
    (tmp_path / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    return tmp_path


def handles_signals(pid: int) -> bool:
    """Whether the process has a handler for SIGTERM, which Python itself does not install."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", ["evaluate", "register"])
def test_a_signal_while_a_stage_imports_ends_it_in_order(removed: Path, stage: str, number: signal.Signals) -> None:
    moments = random.Random(f"{stage}{number}")
    for attempt in range(proof_rounds(1, long=10)):
        command = ["env", "--default-signal=INT", sys.executable, "-m", f"stages.{stage}", "-cd", ".", "-cn", "params"]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        process = subprocess.Popen(command, cwd=removed, env=environment, stderr=subprocess.PIPE, text=True)
        while not handles_signals(process.pid):
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(moments.uniform(0.0, 0.4 if attempt == 0 else 1.0))
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        restored = f"[{stage}] failed; restored earlier outputs: {OUTPUTS[stage]}\n"
        assert (process.returncode, errors) == (130, SENTENCE + restored)
        assert (removed / OUTPUTS[stage]).read_bytes() == CONTENT
        assert load_stage_runs(removed)[stage].exit_code == 130
        (removed / OUTPUTS[stage]).unlink()


SWALLOWING = """
import sys, time
from pathlib import Path
from pipeline.config.stage_entry import stage


@stage("evaluate")
def main(config):
    Path("began").touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        {reaction}


main()
"""


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize(
    "reaction", ["raise ImportError('initialization failed')", "pass", "raise", "sys.exit(1)", "time.sleep(60)"]
)
def test_whatever_a_package_makes_of_the_signal_the_end_is_the_same(removed: Path, reaction: str) -> None:
    (removed / "demo.py").write_text(SWALLOWING.format(reaction=reaction), encoding="utf-8")
    command = ["env", "--default-signal=INT", sys.executable, "demo.py", "-cd", ".", "-cn", "params"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        command, cwd=removed, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not (removed / "began").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    if reaction == "time.sleep(60)":  # it hangs: a second signal ends it
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.startswith(SENTENCE)) == (130, True)
    assert (removed / OUTPUTS["evaluate"]).read_bytes() == CONTENT
