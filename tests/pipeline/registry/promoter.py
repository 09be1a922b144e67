"""A process that runs `mlops` commands on request and returns their exit codes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from pipeline.state import STATE_URL_ENV
from tests.fixtures.toy_dataset import ROOT

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Promoter"]

_WORKER = """
import contextlib, io, sys
from pipeline.cli.root_command import main
for line in sys.stdin:
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            main(line.split())
        except SystemExit as error:
            code = error.code or 0
    print(code, flush=True)
"""


class Promoter:
    """A started process; `send` returns at once, `wait_for_exit_code` waits for the last command."""

    def __init__(self, folder: Path, **environment: str) -> None:
        database = {STATE_URL_ENV: os.environ[STATE_URL_ENV]} if STATE_URL_ENV in os.environ else {}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **database, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def send(self, *words: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def wait_for_exit_code(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.close()

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self.process.wait(timeout=30)
