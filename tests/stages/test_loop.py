"""The stage runs the loop of the project around it until a signal."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from pipeline import state as store
from stages.loop import main
from tests.pipeline.loop.loop_project import MODEL, with_mode

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def _end_after_a_run(state: store.State) -> None:
    pause = threading.Event()
    while True:
        with state.reading() as connection:
            if store.last_loop_run(connection, MODEL) is not None:
                break
        pause.wait(0.02)
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_stage_prints_the_reason_and_ends_at_a_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    state = store.open_state(tmp_path)
    ending = threading.Thread(target=_end_after_a_run, args=(state,), daemon=True)
    ending.start()
    main.__wrapped__(with_mode("off"))  # type: ignore[attr-defined]
    ending.join()
    state.close()
    assert capsys.readouterr().out.startswith("[loop] loop: nothing: lifecycle.mode is off")
