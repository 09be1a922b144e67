"""Hold what was measured of our server against the bars that were set beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serving import Server

__all__ = ["COLUMNS", "CONNECTIONS", "judge"]

COLUMNS = "10,000 by columns"
# Connections at which a load, named by its rows for each request, is measured.
CONNECTIONS = {"1": (1, 16, 64), "100": (4,), "10,000": (1,), COLUMNS: (1,)}


def judge(ours: Mapping[str, Server], peers: Sequence[Server]) -> Iterator[str]:
    """Yield one line for each bar: what was asked, what was found, met or missed."""
    yield f"{'bar':58} {'asked':>9} {'found':>9}"
    for what, asked, found, is_met in _bars(ours, peers):
        yield f"{what:58} {asked:>9} {found:>9} {'met' if is_met else 'MISSED'}"


def _bars(ours: Mapping[str, Server], peers: Sequence[Server]) -> Iterator[tuple[str, str, str, bool]]:
    on, off, echo = ours["log on"], ours["log off"], ours["echo"].figures
    for n in (16, 64):
        yield _least(
            f"single row, {n} connections, log on, of the echo", 0.25, on.figures["1", n].rate / echo["1", n].rate
        )
        yield _least(
            f"single row, {n} connections, log off, of the echo", 0.6, off.figures["1", n].rate / echo["1", n].rate
        )
    yield _most("ready, seconds", 1.5, on.ready_s)
    if not peers:
        return
    for n in (16, 64):
        yield _least(
            f"single row, {n} connections, log on, times best peer", 60, on.figures["1", n].rate / _best(peers, "1", n)
        )
    p50 = min(one.figures["1", 1].p50_ms for one in peers)
    p99 = min(one.figures["1", 1].p99_ms for one in peers)
    yield _most("single row, one connection, p50, of best peer", 0.1, on.figures["1", 1].p50_ms / p50)
    yield _most("single row, one connection, p99, of best peer", 0.2, on.figures["1", 1].p99_ms / p99)
    yield _least("batch of 100, log on, times best peer", 15, on.figures["100", 4].rate / _best(peers, "100", 4))
    best = _best(peers, "10,000", 1)
    for load in ("10,000", COLUMNS):
        yield _least(f"batch of {load}, log off, times best peer", 2, off.figures[load, 1].rate / best)
        yield _least(f"batch of {load}, log on, times best peer", 1, on.figures[load, 1].rate / best)
    yield _most("resident memory, of smallest peer", 0.5, on.resident_mb / min(one.resident_mb for one in peers))


def _best(peers: Sequence[Server], load: str, connections: int) -> float:
    """Return the highest rate; not a number where no peer finished a request in the time that it had."""
    return max(one.figures[load, connections].rate for one in peers) or float("nan")


def _least(what: str, bar: float, found: float) -> tuple[str, str, str, bool]:
    return what, f">= {bar:g}", f"{found:.2f}", found >= bar


def _most(what: str, bar: float, found: float) -> tuple[str, str, str, bool]:
    return what, f"<= {bar:g}", f"{found:.2f}", found <= bar
