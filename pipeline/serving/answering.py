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
    from pipeline.serving.contracts import Notice
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
        template = _Template(bundle)
        at = 0
        for work in works:
            end = at + len(work.rows.rows)
            ids = self._ids.take(end - at)
            probabilities = [template.probabilities % tuple(row) for row in scored.probabilities[at:end]]
            items = [
                template.item(label, confidence, shares, one, notices)
                for label, confidence, shares, one, notices in zip(
                    scored.labels[at:end],
                    scored.confidences[at:end],
                    probabilities,
                    ids,
                    scored.notices[at:end],
                    strict=True,
                )
            ]
            columns = (ids, scored.stored[at:end], scored.labels[at:end], probabilities, scored.confidences[at:end])
            kept = self._rows(work, columns)
            yield Answered(_whole(work, template, items, scored, ids, at), kept)
            at = end

    def _rows(
        self, work: Work, columns: tuple[list[str], list[str], list[str], list[str], list[float]]
    ) -> list[PredictionRow]:
        bundle = work.bundle
        now_us = time.time_ns() // 1000
        latency_us = (time.perf_counter_ns() - work.started_ns) // 1000
        fixed = (bundle.name, bundle.version, bundle.digest, bundle.generation)
        tail = (bundle.served_by, "champion", latency_us, 1.0 / self._sample, work.key, work.subject)
        rows = [
            PredictionRow._make((one, now_us, *fixed, stored, label, shares, confidence, *tail))
            for one, stored, label, shares, confidence in zip(*columns, strict=True)
        ]
        if self._sample < 1.0:
            return [row for row in rows if self._random.random() < self._sample]
        return rows


def _whole(work: Work, template: _Template, items: list[str], scored: Any, ids: list[str], at: int) -> bytes | Answers:
    if work.form == "one":
        return f"{items[0][:-1]},{template.about}}}".encode()
    body = _batch(work, template, items)
    if work.form == "batch":
        return body
    end = at + len(items)
    return Answers(
        scored.labels[at:end],
        scored.confidences[at:end],
        scored.probabilities[at:end],
        ids,
        work.rows.positions,
        work.rows.problems,
        body,
    )


def _batch(work: Work, template: _Template, items: list[str]) -> bytes:
    n_refused = 0
    if work.rows.problems:
        refused = _refused(work.rows)
        n_refused = len(refused)
        placed = {**refused, **dict(zip(work.rows.positions, items, strict=True))}
        items = [placed[at] for at in sorted(placed)]
    return f'{{"predictions":[{",".join(items)}],"n_refused":{n_refused},{template.about}}}'.encode()


def _refused(rows: Rows) -> dict[int, str]:
    """Return for each bad row, by its position, an item that says what is wrong with it."""
    by_row: dict[int, list[dict[str, str]]] = {}
    for problem in rows.problems:
        position = int(problem.path.partition("[")[2].partition("]")[0])
        plain = {"path": problem.path, "rule": problem.rule, "message": problem.message}
        by_row.setdefault(position, []).append(plain)
    return {at: json.dumps({"problems": problems}) for at, problems in by_row.items()}


class _Template:
    """The parts of answers that are the same for every row of a bundle, as JSON."""

    def __init__(self, bundle: Bundle) -> None:
        self.about = bundle.about
        self._labels = {name: json.dumps(name) for name in bundle.classes}
        words = ",".join(f"{json.dumps(name)}:%r" for name in (one.replace("%", "%%") for one in bundle.classes))
        self.probabilities = f"{{{words}}}"

    def item(self, label: str, confidence: float, probabilities: str, one: str, notices: tuple[Notice, ...]) -> str:
        warnings = _warnings(notices) if notices else ""
        return (
            f'{{"prediction":{self._labels[label]},"confidence":{confidence!r},"probabilities":{probabilities},'
            f'"prediction_id":"{one}","warnings":[{warnings}]}}'
        )


def _warnings(notices: tuple[Notice, ...]) -> str:
    plain = ({"column": one.column, "rule": one.rule, "message": one.message} for one in notices)
    return ",".join(map(json.dumps, plain))


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
