"""What the guides to deployment and operation tell a person to type is understood; nothing of it is carried out."""

from __future__ import annotations

import re
import shlex

import pytest
import typer.main

from pipeline.cli.root_command import app
from tests.deploy.dockerfile import ROOT

GUIDES = ("how-to/deploy", "how-to/runbook")


def documented_commands(page: str) -> list[str]:
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    return [line for line in lines if line.startswith("mlops ")]


@pytest.mark.parametrize("command", [command for page in GUIDES for command in documented_commands(page)])
def test_documented_commands_and_options_exist(command: str) -> None:
    words, now = shlex.split(command)[1:], typer.main.get_command(app)
    while hasattr(now, "commands"):
        name = words.pop(0)
        assert name in now.commands, f"{command}: there is no {name}"
        now = now.commands[name]
    with now.make_context(now.name, words) as context:
        assert context.args == []


@pytest.mark.parametrize("page", GUIDES)
def test_files_named_in_the_guide_exist(page: str) -> None:
    text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:deploy|tests|\.github)/[\w./-]+)`", text) + re.findall(r"\]\(([\w./-]+)\)", text)
    made_later = {"deploy/docker/.env", "deploy/docker/viewer.key"}
    missing = [
        path
        for path in set(named) - made_later
        if not any((base / path).exists() for base in (ROOT, ROOT / "docs/how-to"))
    ]
    assert missing == []
