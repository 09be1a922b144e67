"""Fork consumers of streams from one process with warm imports: `python -m tests.pipeline.streaming.stream_nursery`.

Each line of input is a JSON object with the folder of a project, the environment, and the moment of a batch at which
the consumer sends itself a signal. The response is the number of the process, which no other one stands in for.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config.config_loader import load_params
from pipeline.state import open_state
from pipeline.streaming.outcome_consumer import OutcomeConsumer
from pipeline.streaming.stream_startup import build_consumer, build_models, require_stream

if TYPE_CHECKING:
    from pipeline.streaming.stream_consumer import StreamConsumer

_FOLLOW_S = 0.05


def main() -> None:
    """Fork a consumer for each line, until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            try:
                run_consumer(json.loads(line))
            finally:
                os._exit(0)
        print(process, flush=True)


def run_consumer(order: dict[str, Any]) -> None:
    """Run a consumer until SIGTERM, and leave its counts, or the error that ended it, in a file."""
    os.environ.update(order["environment"])
    root, seen = Path(order["root"]), Counter[str]()
    state = open_state(root)

    def send_signal(step: str) -> None:
        seen[step] += 1
        if step == order["step"] and seen[step] == order["nth"]:
            os.kill(os.getpid(), order["signal"])

    report = Path(order["report"])

    def write(suffix: str, error: str = "") -> None:
        new = report.with_suffix(".new")
        new.write_text(json.dumps({**consumer.stats.as_dict(), "error": error}), encoding="utf-8")
        new.rename(report.with_suffix(suffix))

    def follow() -> None:
        while not ended.wait(_FOLLOW_S):
            write(".now")

    ended = threading.Event()
    config = load_params(root / "params.yaml")
    consumer: StreamConsumer | OutcomeConsumer
    if order["reads_outcomes"]:
        models = build_models(config, root, state)
        consumer = OutcomeConsumer(require_stream(config), state=state, models=models, on_step=send_signal)
    else:
        consumer = build_consumer(config, root, state, on_step=send_signal)
    signal.signal(signal.SIGTERM, lambda *_: consumer.stop())
    follower = threading.Thread(target=follow)
    follower.start()
    error = ""
    try:
        consumer.run()
    except Exception as failure:  # noqa: BLE001 - the test reads it
        error = f"{type(failure).__name__}: {failure}"
    ended.set()
    follower.join()
    write(report.suffix, error)


if __name__ == "__main__":
    main()
