"""Measure what an event of a stream costs, beside a bare loop, and what kills of its consumers leave behind.

    python benchmarks/stream.py --events 100000 --kills 10

The broker is librdkafka's mock cluster in a process of its own; it forgets records above 5 MB of a partition, so each
topic has eight. One consumer predicts with boosting in batches of 2,000 and logs to SQLite, which syncs each commit.
Processor time is that of its process, librdkafka's threads included, after the first batch. The bare loop consumes the
same events, sends their values to another topic and commits, with the same client and settings. Then two consumers of
one group are killed with SIGKILL, one after the other, while they work.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fixtures.kafka_broker import KafkaBroker

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from pipeline import files  # noqa: E402 - needs the path above
from pipeline.config.config_loader import load_params  # noqa: E402 - as above
from pipeline.state import open_state  # noqa: E402 - as above
from pipeline.streaming.kafka_client import KafkaClient  # noqa: E402 - as above
from pipeline.streaming.stream_startup import build_consumer, require_stream  # noqa: E402 - as above

N_PARTITIONS = 8
N_ROWS = 200_000
TOPICS = ("events", "predictions", "dead", "outcomes", "copies")


def prepare(folder: Path, *overrides: str) -> list[bytes]:
    """Write a project with boosting in Production; return the events of its test rows."""
    import pandas as pd  # the measured processes import what a consumer imports
    from benchmark_setup import MODELS, PackagedModel, promote_package, train_package

    from pipeline.config.composition import compose
    from pipeline.package import PackageStore

    trained = train_package(folder / "candidate", MODELS["boosting"])
    state = open_state(folder)
    package = PackageStore(folder / "state/packages").add(folder / "candidate")
    promote_package(state, PackagedModel(trained.name, package, trained.train), folder)
    state.close()
    settings = ["stream=kafka", *(f"stream.topics.{name}={name}" for name in TOPICS[:-1]), *overrides]
    files.write_text(folder / "params.yaml", json.dumps(compose(settings, conf=ROOT / "conf").values))
    # Each value is drawn by itself, so that few rows are equal and the cache of predictions finds little.
    drawn = {
        name: trained.test[name].sample(N_ROWS, replace=True, random_state=at)
        for at, name in enumerate(trained.features)
    }
    rows = json.loads(pd.DataFrame({name: column.array for name, column in drawn.items()}).to_json(orient="records"))
    return [json.dumps({"features": row}).encode() for row in rows]


def mix(values: list[bytes], n_events: int) -> list[bytes]:
    """Return this many events, one in a hundred without a prediction."""
    return [b"no JSON" if number % 100 == 7 else values[number % len(values)] for number in range(n_events)]


def measure_stream(folder: Path, n_events: int) -> dict[str, Any]:
    """Predict for all events; return processor time and memory."""
    state = open_state(folder)
    clock = _Clock()
    consumer: Any = None

    def on_step(step: str) -> None:
        if step == "committed":
            clock.start()
        if step == "scored" and consumer.stats.n_predicted + consumer.stats.n_dead >= n_events - 2_000:
            consumer.stop()  # after this batch

    consumer = build_consumer(load_params(folder / "params.yaml"), folder, state, on_step=on_step)
    consumer.run()
    state.close()
    n = consumer.stats.n_predicted + consumer.stats.n_dead
    return clock.result(n - 2_000) | {"n_events": n}


def measure_bare_loop(folder: Path, n_events: int) -> dict[str, Any]:
    """Copy the events to another topic; return processor time and memory."""

    class _FromTheStart:
        def on_assign(self, partitions: Any) -> Any:
            return dict.fromkeys(partitions, 0)

        def on_revoke(self, partitions: Any) -> None:
            pass

    config = require_stream(load_params(folder / "params.yaml")).model_copy(update={"group": "bare"})
    client = KafkaClient(config, config.topics.events, _FromTheStart())
    client.subscribe()
    clock, n = _Clock(), 0
    while n < n_events:
        events = client.consume(config.batch_rows, timeout_s=config.wait_ms / 1000)
        for event in events:
            client.produce("copies", key=event.key, value=event.value)
        client.flush(timeout_s=60)
        client.commit({event.partition: event.offset + 1 for event in events})
        n += len(events)
        if events:
            clock.start()
    result = clock.result(n - 2_000)
    client.close()
    return result | {"n_events": n}


class _Clock:
    """Times from the end of the first batch to the end of the last."""

    def __init__(self) -> None:
        self._started: tuple[float, float] | None = None

    def start(self) -> None:
        if self._started is None:
            self._started = (time.process_time(), time.perf_counter())

    def result(self, n_events: int) -> dict[str, float]:
        assert self._started is not None
        cpu, wall = self._started
        return {
            "cpu_us": (time.process_time() - cpu) / n_events * 1e6,
            "events_per_s": n_events / (time.perf_counter() - wall),
            "peak_mb": _peak_mb(),
        }


def _peak_mb() -> float:
    """Return the largest memory of this program, without that of the one that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def run_kills(folder: Path, broker: KafkaBroker, n_kills: int) -> dict[str, int]:
    """Kill one of two consumers after the other; return what the log and the topics have at the end."""
    from tests.pipeline.streaming.stream_project import new_stream_project, running_nursery

    with (
        running_nursery() as nursery,
        new_stream_project(folder, broker, nursery, "stream.batch_rows=300", n_partitions=N_PARTITIONS) as stream,
    ):
        n_events = 3_000 * n_kills
        stream.produce(mix((folder.parent / "events.jsonl").read_bytes().splitlines(), n_events))
        consumers = [stream.start(), stream.start()]
        for kill in range(1, n_kills + 1):
            stream.wait_for_rows(n_events * kill // (n_kills + 2))
            consumers.pop(0).kill()
            consumers.append(stream.start())
        n_good = n_events - n_events // 100
        stream.wait_for_rows(n_good)
        stream.wait_for_results(n_events)
        for consumer in consumers:
            consumer.stop()
        ids = [row.prediction_id for row in stream.logged()]
        sent = stream.sent_predictions()
        return {
            "events": n_events,
            "lost": n_good - len(set(ids)),
            "doubled": len(ids) - len(set(ids)),
            "not_sent": n_good - len(sent),
            "sent_again": stream.n_sent() - len(sent),
            "sent_again_with_other_content": sum(len(each) > 1 for each in sent.values()),
            "dead_letters_missing": n_events // 100 - len(stream.dead_letters()),
        }


def main() -> None:
    """Run the measurements as processes of their own and print what they give."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--measure", choices=("stream", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure is not None:
        measured = (measure_stream if args.measure == "stream" else measure_bare_loop)(args.folder, args.events)
        print(json.dumps(measured))
        return
    from tests.fixtures.kafka_broker import running_broker

    with tempfile.TemporaryDirectory() as name, running_broker() as broker:
        folder = Path(name)
        values = prepare(folder)
        shutil.copytree(folder / "state", folder / "kills/state")
        (folder / "events.jsonl").write_bytes(b"\n".join(values))
        for topic in TOPICS:
            broker.create_topic(topic, n_partitions=N_PARTITIONS)
        broker.produce("events", mix(values, args.events))
        environment = {**os.environ, "MLOPS_KAFKA": broker.address}
        for measure in ("bare", "stream"):
            words = ["--measure", measure, "--folder", name, "--events", str(args.events)]
            done = subprocess.run(
                [sys.executable, __file__, *words], env=environment, capture_output=True, text=True, check=True
            )
            result = json.loads(done.stdout.splitlines()[-1])
            print(measure, {key: round(value, 1) for key, value in result.items()})
        if args.kills:
            print("kills", run_kills(folder / "kills", broker, args.kills))


if __name__ == "__main__":
    main()
