"""Turn requests that arrived together into answers and rows of the log, bundle by bundle."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.serving.contracts import Answers
from pipeline.state import PredictionRow, RowGroup, SharedValues

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from pipeline.serving.bundle import Bundle
    from pipeline.serving.rows import Rows
    from pipeline.serving.scoring import RowAnswer

__all__ = ["Answered", "Answerer", "Work"]


@dataclass(slots=True, eq=False)
class Work:
    """One request on its way: its rows, the bundle that it was given, and who waits for it.

    `digest` is the SHA-256 of the body, which tells a retry from another request with the same key.
    """

    bundle: Bundle
    rows: Rows
    form: str
    future: asyncio.Future[Any]
    started_ns: int
    key: str | None = None
    digest: str = ""
    subject: str | None = None


@dataclass(slots=True)
class Answered:
    """The answer to a request, what it says of each row, and the rows that the log keeps of it.

    `row` is that of a request of one row, `group` has those of a larger one.
    """

    answer: bytes | Answers
    labels: Sequence[str] = ()
    confidences: Sequence[float] = ()
    row: PredictionRow | None = None
    group: RowGroup | None = None

    @property
    def body(self) -> bytes:
        """The answer as JSON."""
        return self.answer if isinstance(self.answer, bytes) else self.answer.body


class Answerer:
    """Answers groups of requests.

    Parameters
    ----------
    sample : float
        Share of the rows that the log keeps, each standing for 1 / `sample` rows; 0 where there is no log.
    """

    def __init__(self, *, sample: float) -> None:
        self._sample = sample
        self._ids = _Ids()
        self._random = Random()  # noqa: S311 - which rows are kept is no secret

    def answer(self, works: Sequence[Work]) -> list[Answered]:
        """Return the answers in the order of `works`; requests of one bundle are scored together."""
        groups: dict[int, list[Work]] = {}
        for work in works:
            groups.setdefault(id(work.bundle), []).append(work)
        if len(groups) == 1:
            return list(self._group(list(works)))
        found: dict[int, Answered] = {}
        for group in groups.values():
            for work, answered in zip(group, self._group(group), strict=True):
                found[id(work)] = answered
        return [found[id(work)] for work in works]

    def at_once(self, bundle: Bundle, row: tuple[Any, ...]) -> Answered | None:
        """Return the answer to a row that came before and is kept, for which the model need not be asked."""
        scored = bundle.scorer.kept(row)
        return None if scored is None else Answered(self._single(bundle, scored, self._ids.one()), *_said(scored))

    def _group(self, works: list[Work]) -> Iterator[Answered]:
        bundle = works[0].bundle
        scored = bundle.scorer.score(list(chain.from_iterable([work.rows.rows for work in works])))
        at = 0
        for work in works:
            end = at + len(work.rows.rows)
            yield self._one(work, scored[at]) if work.form == "one" else self._many(work, scored[at:end])
            at = end

    def _one(self, work: Work, scored: RowAnswer) -> Answered:
        identifier = self._ids.one()
        row = None
        if self._sample == 1.0 or (self._sample > 0.0 and self._random.random() < self._sample):
            row = PredictionRow(
                prediction_id=identifier,
                features=scored.stored,
                prediction=scored.label,
                probabilities=scored.shares,
                confidence=scored.confidence,
                **self._shared(work),
            )
        return Answered(self._single(work.bundle, scored, identifier), *_said(scored), row)

    def _many(self, work: Work, scored: list[RowAnswer]) -> Answered:
        answers = _Columns._make(zip(*scored, strict=True))
        ids = self._ids.take(len(scored))
        group = self._group_of(work, answers, ids) if self._sample > 0.0 else None
        return Answered(_whole(work, answers, ids), answers.label, answers.confidence, group=group)

    @staticmethod
    def _single(bundle: Bundle, scored: RowAnswer, identifier: str) -> bytes:
        return f"{scored.before}{identifier}{scored.behind},{bundle.about}}}".encode()

    def _group_of(self, work: Work, answers: _Columns, ids: list[str]) -> RowGroup:
        columns: tuple[Sequence[Any], ...] = (ids, answers.stored, answers.label, answers.shares, answers.confidence)
        if self._sample < 1.0:
            is_kept = [self._random.random() < self._sample for _ in ids]
            columns = tuple(list(compress(column, is_kept)) for column in columns)
        return RowGroup(SharedValues(**self._shared(work)), *columns)

    def _shared(self, work: Work) -> dict[str, Any]:
        """Return what all rows of a request have in common, by the names of `SharedValues`."""
        bundle = work.bundle
        return {
            "at": time.time_ns() // 1000,
            "model": bundle.name,
            "version": bundle.version,
            "digest": bundle.digest,
            "generation": bundle.generation,
            "served_by": bundle.served_by,
            "variant": "champion",
            "latency_us": (time.perf_counter_ns() - work.started_ns) // 1000,
            "weight": 1.0 / self._sample,
            "idempotency_key": work.key,
            "subject": work.subject,
        }


def _said(scored: RowAnswer) -> tuple[tuple[str, ...], tuple[float, ...]]:
    return (scored.label,), (scored.confidence,)


class _Columns(NamedTuple):
    """The members of `RowAnswer`, each over all rows of a request."""

    before: tuple[str, ...]
    behind: tuple[str, ...]
    stored: tuple[str, ...]
    label: tuple[str, ...]
    shares: tuple[str, ...]
    confidence: tuple[float, ...]
    probabilities: tuple[list[float], ...]


def _whole(work: Work, answers: _Columns, ids: list[str]) -> bytes | Answers:
    body = partial(_batch, work.rows, work.bundle.about, answers, ids)
    if work.form == "batch":
        return body()
    return Answers(
        list(answers.label),
        list(answers.confidence),
        list(answers.probabilities),
        ids,
        work.rows.positions,
        work.rows.problems,
        body,
    )


def _batch(rows: Rows, about: str, answers: _Columns, ids: list[str]) -> bytes:
    parts = ["},"] * (4 * len(ids))
    parts[0::4], parts[1::4], parts[2::4] = answers.before, ids, answers.behind
    n_refused = 0
    if rows.problems:
        refused = _refused(rows)
        n_refused = len(refused)
        answered = ("".join(parts[at : at + 4]) for at in range(0, len(parts), 4))
        placed = {**refused, **dict(zip(rows.positions, answered, strict=True))}
        parts = [placed[at] for at in sorted(placed)]
    parts[-1] = parts[-1][:-1]
    parts.insert(0, '{"predictions":[')
    parts.append(f'],"n_refused":{n_refused},{about}}}')
    return "".join(parts).encode()


def _refused(rows: Rows) -> dict[int, str]:
    """Return for each bad row, by its position, an item that says what is wrong with it, and a comma."""
    by_row: dict[int, list[dict[str, str]]] = {}
    for position, problem in zip(rows.places, rows.problems, strict=True):
        plain = {"path": problem.path, "rule": problem.rule, "message": problem.message}
        by_row.setdefault(position, []).append(plain)
    return {at: f"{json.dumps({'problems': problems})}," for at, problems in by_row.items()}


class _Ids:
    """Identifiers in the form of UUID version 7: the moment of the start and chance, then a running number.

    They grow, so that an index of them is written at its end.
    """

    def __init__(self) -> None:
        moment = f"{time.time_ns() // 1_000_000:012x}"
        chance = os.urandom(4).hex()
        self._prefix = f"{moment[:8]}-{moment[8:]}-7{chance[:3]}-8{chance[3:6]}-"
        self._last = int.from_bytes(os.urandom(4)) << 8

    def one(self) -> str:
        self._last += 1
        return f"{self._prefix}{self._last:012x}"

    def take(self, n: int) -> list[str]:
        first = self._last + 1
        self._last += n  # before anything is called: without a log another thread may ask meanwhile
        numbers = np.arange(first, first + n, dtype=">u8").view(np.uint8).reshape(n, 8)[:, 2:]
        return f"{self._prefix}{numbers.tobytes().hex(',', 6).replace(',', f',{self._prefix}')}".split(",")
