"""Positions of streams: claims, steps by compare and set, and rows in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from pipeline.state import PredictionWriter
from pipeline.state.prediction_rows import PredictionRow
from pipeline.state.prediction_writer import GuardedUpdate, UpdateRefused
from pipeline.state.stream_offsets import (
    OffsetAdvance,
    claim_partition,
    forget_stream_positions,
    read_stream_positions,
)
from pipeline.state.tables import predictions

if TYPE_CHECKING:
    from pipeline.state import State
    from pipeline.state.stream_offsets import StreamPosition

ROW = PredictionRow(
    "id", 1, "m", 1, "d", 1, "{}", "yes", "{}", 0.5, "production", "champion", "stream", 0, 1.0, None, None
)


def claim(state: State, partition: int = 0, *, group: str = "group", first: int = 5) -> StreamPosition:
    with state.writing() as connection:
        return claim_partition(connection, group, "events", partition, first_offset=first, now=state.clock())


def advance(position: StreamPosition, to: int) -> OffsetAdvance:
    return OffsetAdvance(position, to, 2, "d" * 64, 3, "production", 99)


def positions(state: State, group: str | None = None) -> list[StreamPosition]:
    with state.reading() as connection:
        return read_stream_positions(connection, group)


def log_ids(state: State) -> list[str]:
    with state.reading() as connection:
        return list(connection.execute(select(predictions.c.prediction_id)).scalars())


def write(state: State, row: str, *updates: GuardedUpdate) -> None:
    writer = PredictionWriter(state)
    try:
        writer.write([ROW._replace(prediction_id=row)], updates=updates)
    finally:
        writer.close()


def test_a_first_claim_begins_at_the_oldest_event(state: State) -> None:
    position = claim(state)
    assert (position.epoch, position.next_offset, position.batch_start, position.version) == (1, 5, 5, None)


def test_a_later_claim_continues_under_the_next_epoch(state: State) -> None:
    first = claim(state)
    second = claim(state, first=77)
    assert (second.epoch, second.next_offset, second.incarnation) == (2, 5, first.incarnation)


def test_rows_and_offset_are_written_together(state: State) -> None:
    position = claim(state)
    step = advance(position, 9)
    write(state, "a", step.as_update())
    assert log_ids(state) == ["a"]
    assert positions(state) == [step.position_after()]
    assert (step.position_after().batch_start, step.position_after().next_offset) == (5, 9)


def test_a_consumer_whose_partition_was_claimed_since_writes_nothing(state: State) -> None:
    old = claim(state)
    new = claim(state)
    with pytest.raises(UpdateRefused, match="another process changed the row first"):
        write(state, "a", advance(old, 9).as_update())
    assert log_ids(state) == []
    assert positions(state) == [new]


def test_a_batch_that_was_written_is_not_written_again(state: State) -> None:
    position = claim(state)
    write(state, "a", advance(position, 9).as_update())
    with pytest.raises(UpdateRefused, match="nothing was written"):
        write(state, "b", advance(position, 9).as_update())
    assert log_ids(state) == ["a"]


def test_one_refused_partition_keeps_the_rows_of_all_out(state: State) -> None:
    first, second = claim(state, 0), claim(state, 1)
    claim(state, 1)
    with pytest.raises(UpdateRefused, match="nothing was written"):
        write(state, "a", advance(first, 9).as_update(), advance(second, 9).as_update())
    assert log_ids(state) == []
    assert [position.next_offset for position in positions(state)] == [5, 5]


def test_a_writer_continues_after_a_refused_batch(state: State) -> None:
    writer = PredictionWriter(state)
    old, new = claim(state), claim(state)
    with pytest.raises(UpdateRefused, match="nothing was written"):
        writer.write([ROW], updates=[advance(old, 9).as_update()])
    writer.write([ROW], updates=[advance(new, 9).as_update()])
    writer.close()
    assert log_ids(state) == ["id"]


def test_groups_have_positions_of_their_own(state: State) -> None:
    claim(state, group="a", first=1)
    claim(state, group="b", first=2)
    assert [position.next_offset for position in positions(state, "b")] == [2]
    assert [position.group_name for position in positions(state)] == ["a", "b"]


def test_a_forgotten_position_begins_a_new_incarnation(state: State) -> None:
    before = claim(state)
    claim(state, 1)
    with state.writing() as connection:
        assert forget_stream_positions(connection, "group", "events", 0) == 1
    after = claim(state, first=40)
    assert (after.next_offset, after.epoch) == (40, 1)
    assert after.incarnation != before.incarnation
    with state.writing() as connection:
        assert forget_stream_positions(connection, "group", "events") == 2
