"""Read what all servers count during a trial that takes traffic, and what the canary guard finds in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import state as store
from pipeline.config.groups.lifecycle_config import CanaryConfig
from pipeline.metrics.canary_guard import GuardVerdict, VariantCounts, check_canary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.serving.prediction_types import Variant
    from pipeline.state import State, Trial, TrialServer, VariantTraffic

__all__ = ["CanaryFacts", "canary_settings", "pool_traffic", "read_canary_facts"]


@dataclass(frozen=True, slots=True)
class CanaryFacts:
    """What is known about the traffic of a trial.

    Attributes
    ----------
    champion, challenger : VariantCounts
        Of all servers together.
    verdict : GuardVerdict
        What the canary guard finds in these counts.
    servers : list of TrialServer
        The servers that serve the challenger, refuse it or stopped it; the oldest state first.
    """

    champion: VariantCounts
    challenger: VariantCounts
    verdict: GuardVerdict
    servers: list[TrialServer]

    @property
    def stop_reason(self) -> str | None:
        """Why the challenger must get no more requests: the first stop of a server or person, or the verdict."""
        stopped = [server.reason for server in self.servers if server.state == "stopped"]
        if stopped:
            return stopped[0]
        return self.verdict.summary if self.verdict.must_stop else None

    def refused_since(self, moment: int, *, seen_since: int) -> list[TrialServer]:
        """Return running servers (seen since then) that could not load the challenger since `moment` or longer."""
        return [
            server
            for server in self.servers
            if server.state == "refused" and server.changed_at <= moment and server.seen_at >= seen_since
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for evidence and for the HTTP API."""
        return {
            "champion": _plain(self.champion),
            "challenger": _plain(self.challenger),
            "stop_reason": self.stop_reason,
            "servers": [
                {"server": server.server, "state": server.state, "reason": server.reason, "since": server.changed_at}
                for server in self.servers
            ],
        }


def canary_settings(trial: Trial) -> CanaryConfig:
    """Return the section `canary` that a trial was opened with."""
    return CanaryConfig.model_validate(trial.settings["canary"])


def pool_traffic(rows: Iterable[VariantTraffic]) -> dict[Variant, VariantCounts]:
    """Return the counts of all given servers together, by variant."""
    pooled: dict[Variant, VariantCounts] = {"champion": VariantCounts(), "challenger": VariantCounts()}
    for row in rows:
        variant: Variant = "challenger" if row.variant == "challenger" else "champion"
        pooled[variant] += VariantCounts(
            row.n_requests, row.n_errors, row.n_predictions, row.durations, row.duration_sum_s
        )
    return pooled


def read_canary_facts(state: State, trial: Trial) -> CanaryFacts:
    """Return what the servers counted during a trial so far."""
    with state.reading() as connection:
        rows = store.read_variant_traffic(connection, trial.seq)
        servers = store.read_trial_servers(connection, trial.seq)
    pooled = pool_traffic(rows)
    verdict = check_canary(pooled["champion"], pooled["challenger"], canary_settings(trial))
    return CanaryFacts(pooled["champion"], pooled["challenger"], verdict, servers)


def _plain(counts: VariantCounts) -> dict[str, Any]:
    return {
        "n_requests": counts.n_requests,
        "n_errors": counts.n_errors,
        "n_predictions": counts.n_predictions,
        "mean_duration_s": counts.duration_sum_s / n if (n := sum(counts.durations)) else None,
    }
