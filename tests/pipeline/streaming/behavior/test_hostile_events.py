"""Events that no honest caller sends: each becomes one dead letter, and none stops its partition."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from zlib import crc32

from tests.fixtures.server_process import ROW
from tests.pipeline.streaming.stream_project import event_values, new_stream_project, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.kafka_broker import KafkaBroker
    from tests.pipeline.streaming.stream_project import Nursery

SECRET = "Emil-4711"
GOOD = event_values(1)[0]


def _body(**changes: object) -> bytes:
    return json.dumps({"features": {**ROW, **changes}}).encode()


LARGE = {
    "text": b'{"features": {"Stage_fear": "' + b"x" * 10_000_000 + b'"}}',
    "commas": b'{"features": [' + b"1," * 5_000_000 + b"1]}",
    "blanks": b" " * 10_000_000,
}
HOSTILE: dict[str, bytes | None] = {
    "no JSON": b"no JSON " + SECRET.encode(),
    "deep lists": b"[" * 200_000,
    "deep objects": b'{"features":' * 100_000 + b"1" + b"}" * 100_000,
    "unknown fields": _body(**{SECRET: 1}),
    "NaN": b'{"features": {"Time_spent_Alone": NaN}}',
    "infinity": b'{"features": {"Time_spent_Alone": 1e999}}',
    "a number of a thousand digits": b'{"features": {"Time_spent_Alone": ' + b"9" * 1_000 + b"}}",
    "tombstone": None,
    "empty": b"",
    "blank": b" \n ",
    "wrong encoding": '{"features": {"Stage_fear": "Ünsicher"}}'.encode("latin-1"),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "zero bytes": b"\0" * 1_000,
    "half a surrogate": b'{"features": {"Stage_fear": "\\ud800"}}',
    "duplicate field": b'{"features": {"Stage_fear": "No", "Stage_fear": "Yes"}}',
    "two rows": GOOD + b"\n" + GOOD,
    "rows that would join": b'{"features": {"Time_spent_Alone": 4}',
    "another route": b'{"instances": [{"Time_spent_Alone": 4}]}',
    "a list": b"[1, 2]",
    "a word": b'"features"',
    "null": b"null",
    "features of another kind": b'{"features": "' + SECRET.encode() + b'"}',
    "a word for a number": _body(Time_spent_Alone=SECRET),
    "a list for a value": _body(Stage_fear=[SECRET]),
    "an unknown word": _body(Stage_fear=SECRET),
    "pickle": b"\x80\x04\x95\x00.",
    "gzip": b"\x1f\x8b\x08\x00" + b"x" * 50,
}


def test_each_hostile_event_is_one_dead_letter_and_the_others_get_predictions(
    project: Path, own_kafka: KafkaBroker, nursery: Nursery
) -> None:
    with new_stream_project(project, own_kafka, nursery, n_partitions=1) as stream:
        consumer = stream.start()
        for value in HOSTILE.values():
            stream.produce([GOOD, value])
        stream.produce([GOOD])
        wait_until(lambda: stream.n_sent() == len(HOSTILE) + 1, "each good event has its prediction")
        counts = consumer.stop()
        assert (counts["error"], counts["n_dead"], counts["n_predicted"]) == ("", len(HOSTILE), len(HOSTILE) + 1)
        letters = stream.broker.read_all(stream.topics["dead"])
        expected = {f"{stream.topics['events']}/0/{2 * at + 1}": value for at, value in enumerate(HOSTILE.values())}
        assert {dict(each.headers())["source"].decode(): each.value() for each in letters} == expected
        problems = [dict(each.headers())["problem"] for each in letters]
        kinds = {json.loads(problem)["type"] for problem in problems}
        assert not kinds & {"urn:mlops:problem:bug", "urn:mlops:problem:not-ready"}
        assert [problem for problem in problems if SECRET.encode() in problem] == [
            problem for problem in problems if b'"rule": "unknown"' in problem
        ]


def test_an_event_of_10_mb_is_one_dead_letter(project: Path, own_kafka: KafkaBroker, nursery: Nursery) -> None:
    # The broker of the tests forgets all of a partition above 5 MB, so each large record has a partition of its own.
    keys = {crc32(key) % 4: key for key in (b"%d" % number for number in range(50))}
    with new_stream_project(project, own_kafka, nursery, n_partitions=4) as stream:
        consumer = stream.start()
        for number, value in enumerate(LARGE.values(), 1):
            own_kafka.produce(stream.topics["events"], [value], partition=number, key=keys[number])
        wait_until(lambda: stream.n_dead() == len(LARGE), "each event has its dead letter")
        own_kafka.produce(stream.topics["events"], [GOOD], partition=0)
        wait_until(lambda: stream.n_sent() == 1, "the next event has its prediction")
        assert consumer.stop()["error"] == ""
        assert [letter.value() for letter in own_kafka.read_all(stream.topics["dead"])] == list(LARGE.values())
