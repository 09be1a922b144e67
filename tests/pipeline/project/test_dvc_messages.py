"""What DVC prints is explained with the cause and the next command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.project.dvc_messages import DVC_MESSAGES, explain_dvc_error

RUNBOOK = Path(__file__).parents[3] / "docs/how-to/runbook.md"


@pytest.mark.parametrize(
    ("printed", "quoted", "remedy"),
    [
        ("ERROR: Unable to acquire lock. Most likely ...", "Unable to acquire lock", "holds .dvc/tmp/lock"),
        ("ERROR: failed to reproduce 'x': missing data 'source': data/external/x.csv", "x.csv", "dvc pull"),
        ("ERROR: failed to reproduce 'x': 'raw' is busy, it is being blocked by:\n (PID 7): dvc", "busy", "doctor"),
        ("'./dvc.lock' is invalid (possible merge conflicts).\n\nMapping", "./dvc.lock", "git checkout HEAD"),
        ("'./dvc.lock' validation failed.\n\nrequired key", "./dvc.lock", "git checkout HEAD"),
        ("ERROR: unable to read: 'params.yaml', YAML file", "params.yaml", "python -m stages.compose"),
        ("ERROR: configuration error - config file error", "configuration error", ".dvc/config"),
        ("ERROR: output 'raw' is specified in:\n\t- one\n\t- two", "'raw'", "remove the dvc.yaml"),
        ("ERROR: you are not inside of a DVC repository", "not inside", "git init"),
        ("ERROR: /home/me/project is not a git repository", "not a git repository", "run `git init`, then"),
        ("", "no reason given", "mlops doctor"),
        ("some words\nof another kind", "some words", "mlops doctor"),
    ],
)
def test_a_message_of_dvc_is_repeated_with_its_remedy(printed: str, quoted: str, remedy: str) -> None:
    explained = explain_dvc_error(printed)
    assert explained.startswith("DVC reports: ")
    assert quoted in explained
    assert remedy in explained


def test_the_runbook_lists_every_message() -> None:
    page = RUNBOOK.read_text(encoding="utf-8")
    listed = re.findall(r"(?m)^\| `([^`]+)` \|", page)
    assert [pattern for pattern, _ in DVC_MESSAGES if not any(re.search(pattern, text) for text in listed)] == []
