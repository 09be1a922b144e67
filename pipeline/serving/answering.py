"""Turn requests that arrived together into answers and rows of the log, bundle by bundle."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from itertools import chain, repeat
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.serving.contracts import Answers

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from pipeline.serving.bundle import Bundle
    from pipeline.serving.rows import Rows

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

    `kept` holds the values of `PredictionRow`s, as plain tuples: naming them would cost a fifth of a large batch.
    """

    answer: bytes | Answers
    labels: Sequence[str] = ()
    confidences: Sequence[float] = ()
    kept: Sequence[tuple[Any, ...]] = ()

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

    def _group(self, works: list[Work]) -> Iterator[Answered]:
        bundle = works[0].bundle
        scored = bundle.scorer.score(list(chain.from_iterable([work.rows.rows for work in works])))
        about = bundle.about
        at = 0
        for work in works:
            end = at + len(work.rows.rows)
            answers = _Columns._make(zip(*scored[at:end], strict=True))
            ids = self._ids.take(end - at)
            at = end
            kept = self._rows(work, answers, ids) if self._sample > 0.0 else ()
            yield Answered(_whole(work, about, answers, ids), answers.label, answers.confidence, kept)

    def _rows(self, work: Work, answers: _Columns, ids: list[str]) -> list[tuple[Any, ...]]:
        bundle = work.bundle
        now_us = time.time_ns() // 1000
        latency_us = (time.perf_counter_ns() - work.started_ns) // 1000
        fixed = map(repeat, (now_us, bundle.name, bundle.version, bundle.digest, bundle.generation))
        said = (answers.stored, answers.label, answers.shares, answers.confidence)
        tail = map(repeat, (bundle.served_by, "champion", latency_us, 1.0 / self._sample, work.key, work.subject))
        rows = list(zip(ids, *fixed, *said, *tail, strict=False))
        if self._sample < 1.0:
            return [row for row in rows if self._random.random() < self._sample]
        return rows


class _Columns(NamedTuple):
    """The members of `RowAnswer`, each over all rows of a request."""

    before: tuple[str, ...]
    behind: tuple[str, ...]
    stored: tuple[str, ...]
    label: tuple[str, ...]
    shares: tuple[str, ...]
    confidence: tuple[float, ...]
    probabilities: tuple[list[float], ...]


def _whole(work: Work, about: str, answers: _Columns, ids: list[str]) -> bytes | Answers:
    if work.form == "one":
        return f"{answers.before[0]}{ids[0]}{answers.behind[0]},{about}}}".encode()
    body = _batch(work, about, answers, ids)
    if work.form == "batch":
        return body
    return Answers(
        list(answers.label),
        list(answers.confidence),
        list(answers.probabilities),
        ids,
        work.rows.positions,
        work.rows.problems,
        body,
    )


def _batch(work: Work, about: str, answers: _Columns, ids: list[str]) -> bytes:
    n_refused = 0
    parts = zip(answers.before, ids, answers.behind, repeat("},"), strict=False)
    if work.rows.problems:
        refused = _refused(work.rows)
        n_refused = len(refused)
        placed = {**refused, **dict(zip(work.rows.positions, map("".join, parts), strict=True))}
        items = "".join(placed[at] for at in sorted(placed))
    else:
        items = "".join(chain.from_iterable(parts))
    return f'{{"predictions":[{items[:-1]}],"n_refused":{n_refused},{about}}}'.encode()


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

    def take(self, n: int) -> list[str]:
        first = self._last + 1
        self._last += n
        return list(map(f"{self._prefix}%012x".__mod__, range(first, first + n)))
