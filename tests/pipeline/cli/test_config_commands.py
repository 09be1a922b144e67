"""`mlops config` answers whether settings hold, what they come to, and where each comes from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def _mlops(*words: str, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "mlops"), "config", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_check_accepts_what_is_shipped() -> None:
    done = _mlops("check")
    assert (done.returncode, done.stdout) == (0, "ok      conf\nok      params.yaml\n")


def test_check_tries_overrides() -> None:
    done = _mlops("check", "drift.alpha=0.9")
    assert (done.returncode, done.stderr.startswith("mlops: drift.alpha=0.9: drift.alpha: found 0.9")) == (3, True)


def test_check_says_all_results_as_json(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("seed: [", encoding="utf-8")
    done = _mlops("check", "--json", str(tmp_path / "bad.yaml"), "params.yaml")
    assert [result["ok"] for result in json.loads(done.stdout)] == [False, True]
    assert done.returncode == 3


def test_why_names_the_file() -> None:
    assert _mlops("why", "drift.alpha").stdout == "drift.alpha = 0.02: conf/drift/default.yaml\n"


def test_why_names_the_override() -> None:
    said = _mlops("why", "drift.alpha", "drift.alpha=0.1").stdout
    assert said == "drift.alpha = 0.1: conf/drift/default.yaml, changed by drift.alpha=0.1\n"


def test_why_guesses_at_a_misspelt_key() -> None:
    done = _mlops("why", "drift.alhpa")
    assert (done.returncode, "did you mean 'drift.alpha'?" in done.stderr) == (3, True)


def test_show_prints_what_params_would_hold() -> None:
    assert _mlops("show").stdout == (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
