"""The models that a server predicts with: the champion, and at most one challenger with a share of the requests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from random import random
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.serving.concurrency import run_in_thread_if_large

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.serving.canary_traffic import CanaryTraffic
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.log_options import LogOptions
    from pipeline.serving.rows.row_parser import ParsedRows, RowParser
    from pipeline.serving.shadow_scorer import ShadowScorer

__all__ = ["AssignedRows", "Challenger", "Fallback", "LineUp", "assign_rows", "position_of"]

_POSITION_BYTES = 8


def position_of(unit: str, *, salt: str) -> float:
    """Return the position of a subject or key in a trial, from 0 to below 1; equal in every server.

    A challenger gets the units whose position is below its share, so a growing share takes no unit away from it.
    """
    digest = hashlib.blake2b((salt + unit).encode(), digest_size=_POSITION_BYTES).digest()
    return int.from_bytes(digest) / (1 << 8 * _POSITION_BYTES)


@dataclass(frozen=True, slots=True)
class Challenger:
    """A loaded challenger: the number and step of its trial, the share of requests that it gets, and its counts."""

    model: LoadedModel
    trial: int
    step: int
    share: float
    salt: str
    traffic: CanaryTraffic

    def takes(self, options: LogOptions) -> bool:
        """Whether a request is assigned to the challenger: by its subject, else its key, else at random.

        A request that is not logged never is: nothing would be learned from it.
        """
        if self.traffic.stop_reason is not None or not options.is_logged:
            return False
        unit = options.subject if options.subject is not None else options.key
        position = random() if unit is None else position_of(unit, salt=self.salt)  # noqa: S311 - no secret
        return position < self.share

    def status(self) -> dict[str, Any]:
        """Return the trial as this server sees it, as plain values."""
        return {
            "id": self.trial,
            "version": self.model.version,
            "digest": self.model.digest,
            "step": self.step,
            "share": self.share,
            "assigned_by": "X-Subject-Id, else Idempotency-Key, else at random",
            "stop_reason": self.traffic.stop_reason,
            "variants": self.traffic.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class LineUp:
    """What requests are predicted with; a request uses the same line-up from its start to its end.

    `shadow` scores the challenger of a live trial, whose predictions no caller receives.
    """

    champion: LoadedModel
    challenger: Challenger | None = None
    shadow: ShadowScorer | None = None


@dataclass(frozen=True, slots=True)
class Fallback:
    """The champion that predicts a request in which the challenger fails, and how the champion parses its rows."""

    champion: LoadedModel
    parse: Callable[[RowParser], ParsedRows]
    traffic: CanaryTraffic

    def parse_rows(self) -> ParsedRows:
        """Count the error of the challenger, and return the rows as the champion parses them."""
        rows = self.parse(self.champion.parser)
        self.traffic.observe_error()
        return rows


class AssignedRows(NamedTuple):
    """The rows of a request, parsed by the model that predicts it; `fallback` is None for the champion."""

    model: LoadedModel
    rows: ParsedRows
    fallback: Fallback | None = None


async def assign_rows(
    line_up: LineUp,
    parse: Callable[[RowParser], ParsedRows],
    size: int,
    options: LogOptions,
    *,
    is_pinned: bool = False,
) -> AssignedRows:
    """Parse the rows of a request by the model that it is assigned to; a request has one model, also a batch.

    Parameters
    ----------
    line_up : LineUp
    parse : callable
        Parses the rows with the parser of a model.
    size : int
        Approximate bytes of the request.
    options : LogOptions
        Has the subject or key that the request is assigned by.
    is_pinned : bool
        Whether the caller named the version of the champion.

    Raises
    ------
    InvalidRequest
        When the champion refuses the rows; what the challenger alone refuses is the challenger's error.
    """
    challenger = line_up.challenger
    if challenger is None or is_pinned or not challenger.takes(options):
        champion = line_up.champion
        return AssignedRows(champion, await run_in_thread_if_large(size, parse, champion.parser))
    fallback = Fallback(line_up.champion, parse, challenger.traffic)
    return await run_in_thread_if_large(size, _parse_for_challenger, challenger.model, fallback)


def _parse_for_challenger(model: LoadedModel, fallback: Fallback) -> AssignedRows:
    try:
        rows = fallback.parse(model.parser)
    except Exception:  # noqa: BLE001 - no fault of a challenger reaches a caller
        return AssignedRows(fallback.champion, fallback.parse_rows())
    if rows.errors:
        expected = fallback.parse(fallback.champion.parser)
        if expected.error_positions != rows.error_positions:
            fallback.traffic.observe_error()
        if expected.errors != rows.errors:
            return AssignedRows(fallback.champion, expected)
    return AssignedRows(model, rows, fallback)
