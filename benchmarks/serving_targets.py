"""Compare the measured server with the targets that were set in advance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serving_load import ServerResults

__all__ = ["COLUMN_BATCH", "CONNECTIONS", "compare_with_targets"]

COLUMN_BATCH = "10,000 by columns"
# Numbers of connections for each load; a load is named by its rows per request.
CONNECTIONS = {"1": (1, 16, 64), "100": (4,), "10,000": (1,), COLUMN_BATCH: (1,)}


def compare_with_targets(ours: Mapping[str, ServerResults], peers: Sequence[ServerResults]) -> Iterator[str]:
    """Yield one line for each target: its limit, the measured value, met or missed."""
    yield f"{'metric':58} {'target':>9} {'measured':>9}"
    for name, target, measured, is_met in _targets(ours, peers):
        yield f"{name:58} {target:>9} {measured:>9} {'met' if is_met else 'MISSED'}"


def _targets(ours: Mapping[str, ServerResults], peers: Sequence[ServerResults]) -> Iterator[tuple[str, str, str, bool]]:
    on, off, echo = ours["log on"], ours["log off"], ours["echo"].load_results
    for n in (16, 64):
        yield _at_least(
            f"single row, {n} connections, log on, share of the echo",
            0.25,
            on.load_results["1", n].rate / echo["1", n].rate,
        )
        yield _at_least(
            f"single row, {n} connections, log off, share of the echo",
            0.6,
            off.load_results["1", n].rate / echo["1", n].rate,
        )
    yield _at_most("ready, seconds", 1.5, on.ready_s)
    if not peers:
        return
    for n in (16, 64):
        yield _at_least(
            f"single row, {n} connections, log on, times best peer",
            60,
            on.load_results["1", n].rate / _best_rate(peers, "1", n),
        )
    p50 = min(peer.load_results["1", 1].p50_ms for peer in peers)
    p99 = min(peer.load_results["1", 1].p99_ms for peer in peers)
    yield _at_most("single row, one connection, p50, of best peer", 0.1, on.load_results["1", 1].p50_ms / p50)
    yield _at_most("single row, one connection, p99, of best peer", 0.2, on.load_results["1", 1].p99_ms / p99)
    yield _at_least(
        "batch of 100, log on, times best peer", 15, on.load_results["100", 4].rate / _best_rate(peers, "100", 4)
    )
    best = _best_rate(peers, "10,000", 1)
    for load in ("10,000", COLUMN_BATCH):
        yield _at_least(f"batch of {load}, log off, times best peer", 2, off.load_results[load, 1].rate / best)
        yield _at_least(f"batch of {load}, log on, times best peer", 1, on.load_results[load, 1].rate / best)
    yield _at_most("resident memory, of smallest peer", 0.5, on.resident_mb / min(peer.resident_mb for peer in peers))


def _best_rate(peers: Sequence[ServerResults], load: str, connections: int) -> float:
    """Return the highest rate; NaN where no peer finished a request in time."""
    return max(peer.load_results[load, connections].rate for peer in peers) or float("nan")


def _at_least(name: str, target: float, measured: float) -> tuple[str, str, str, bool]:
    return name, f">= {target:g}", f"{measured:.2f}", measured >= target


def _at_most(name: str, target: float, measured: float) -> tuple[str, str, str, bool]:
    return name, f"<= {target:g}", f"{measured:.2f}", measured <= target
