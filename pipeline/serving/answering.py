"""Turn requests that arrived together into answers and rows of the log, bundle by bundle."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from pipeline.serving.contracts import Answers
from pipeline.state import PredictionRow

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
    """The answer to a request, and the rows that the log keeps of it."""

    answer: bytes | Answers
    kept: list[PredictionRow] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """The answer as JSON."""
        return self.answer if isinstance(self.answer, bytes) else self.answer.body


class Answerer:
    """Answers groups of requests.

    Parameters
    ----------
    sample : float
        Share of the rows that the log keeps; each kept row stands for 1 / `sample` rows.
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
        found: dict[int, Answered] = {}
        for group in groups.values():
            for work, answered in zip(group, self._group(group), strict=True):
                found[id(work)] = answered
        return [found[id(work)] for work in works]

    def _group(self, works: list[Work]) -> Iterator[Answered]:
        bundle = works[0].bundle
        scored = bundle.scorer.score([row for work in works for row in work.rows.rows])
        about = bundle.about
        at = 0
        for work in works:
            end = at + len(work.rows.rows)
            answers, ids = scored[at:end], self._ids.take(end - at)
            at = end
            yield Answered(_whole(work, about, answers, ids), self._rows(work, answers, ids))

    def _rows(self, work: Work, answers: list[RowAnswer], ids: list[str]) -> list[PredictionRow]:
        bundle = work.bundle
        now_us = time.time_ns() // 1000
        latency_us = (time.perf_counter_ns() - work.started_ns) // 1000
        fixed = (now_us, bundle.name, bundle.version, bundle.digest, bundle.generation)
        tail = (bundle.served_by, "champion", latency_us, 1.0 / self._sample, work.key, work.subject)
        rows = [
            PredictionRow._make((name, *fixed, stored, label, shares, confidence, *tail))
            for name, (_, _, stored, label, shares, confidence, _) in zip(ids, answers, strict=True)
        ]
        if self._sample < 1.0:
            return [row for row in rows if self._random.random() < self._sample]
        return rows


def _whole(work: Work, about: str, answers: list[RowAnswer], ids: list[str]) -> bytes | Answers:
    items = [f"{one[0]}{name}{one[1]}" for one, name in zip(answers, ids, strict=True)]
    if work.form == "one":
        return f"{items[0][:-1]},{about}}}".encode()
    body = _batch(work, about, items)
    if work.form == "batch":
        return body
    return Answers(
        [one.label for one in answers],
        [one.confidence for one in answers],
        [one.probabilities for one in answers],
        ids,
        work.rows.positions,
        work.rows.problems,
        body,
    )


def _batch(work: Work, about: str, items: list[str]) -> bytes:
    n_refused = 0
    if work.rows.problems:
        refused = _refused(work.rows)
        n_refused = len(refused)
        placed = {**refused, **dict(zip(work.rows.positions, items, strict=True))}
        items = [placed[at] for at in sorted(placed)]
    return f'{{"predictions":[{",".join(items)}],"n_refused":{n_refused},{about}}}'.encode()


def _refused(rows: Rows) -> dict[int, str]:
    """Return for each bad row, by its position, an item that says what is wrong with it."""
    by_row: dict[int, list[dict[str, str]]] = {}
    for problem in rows.problems:
        position = int(problem.path.partition("[")[2].partition("]")[0])
        plain = {"path": problem.path, "rule": problem.rule, "message": problem.message}
        by_row.setdefault(position, []).append(plain)
    return {at: json.dumps({"problems": problems}) for at, problems in by_row.items()}


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
        prefix = self._prefix
        return [f"{prefix}{number:012x}" for number in range(first, first + n)]
