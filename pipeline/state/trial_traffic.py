"""Store what the servers count during a trial that takes traffic, and which of them serve its challenger."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import and_, func, select

from pipeline.state.rollup_counts import HOUR_US
from pipeline.state.row_upsert import put_row
from pipeline.state.tables import trial_servers, trial_traffic

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = [
    "TrialServer",
    "TrialServerState",
    "VariantTraffic",
    "put_trial_server",
    "put_variant_traffic",
    "read_trial_servers",
    "read_variant_traffic",
]

TrialServerState = Literal["serving", "refused", "stopped"]


@dataclass(frozen=True, slots=True)
class VariantTraffic:
    """The counts of one variant in one server since the challenger gets requests, as of `updated_at`.

    The counts grow: those of an hour are the last ones of it minus the last ones before it. `durations` has the number
    of scored batches in each bin of `pipeline.metrics.canary_guard`.
    """

    trial: int
    server: str
    variant: str
    n_requests: int
    n_errors: int
    n_predictions: int
    durations: tuple[int, ...]
    duration_sum_s: float
    updated_at: int


@dataclass(frozen=True, slots=True)
class TrialServer:
    """Whether one server serves the challenger of a trial; moments are in microseconds since 1970, UTC.

    Attributes
    ----------
    state : "serving", "refused" or "stopped"
        `refused`: the server cannot load the challenger. `stopped`: the challenger gets no requests any more, on every
        server, because the canary guard or a person stopped it.
    reason : str
        Why it is refused or stopped.
    changed_at : int
        When this state began.
    seen_at : int
        When the server was last known to run.
    """

    trial: int
    server: str
    state: TrialServerState
    reason: str
    changed_at: int
    seen_at: int


def put_variant_traffic(connection: Connection, traffic: VariantTraffic) -> None:
    """Replace the stored counts of a server and variant in the hour of `updated_at`; those of earlier hours stay."""
    hour_start = traffic.updated_at // HOUR_US * HOUR_US
    values = {**asdict(traffic), "durations": json.dumps(traffic.durations), "hour_start": hour_start}
    put_row(connection, trial_traffic, values, keys=("trial", "server", "variant", "hour_start"))


def put_trial_server(connection: Connection, server: TrialServer) -> None:
    """Replace the stored state of a server."""
    put_row(connection, trial_servers, asdict(server), keys=("trial", "server"))


def read_variant_traffic(
    connection: Connection, trial: int, *, includes_earlier_hours: bool = False
) -> list[VariantTraffic]:
    """Return the last counts of all servers, by server and variant; or those at the end of each hour, in order."""
    table = trial_traffic.c
    columns = [column for column in table if column.name != "hour_start"]
    query = select(*columns).where(table.trial == trial)
    if not includes_earlier_hours:
        last = (
            select(table.server, table.variant, func.max(table.hour_start).label("hour_start"))
            .where(table.trial == trial)
            .group_by(table.server, table.variant)
            .subquery()
        )
        is_last = and_(
            table.server == last.c.server, table.variant == last.c.variant, table.hour_start == last.c.hour_start
        )
        query = query.join(last, is_last)
    rows = connection.execute(query.order_by(table.server, table.variant, table.hour_start))
    return [VariantTraffic(**{**row._asdict(), "durations": tuple(json.loads(row.durations))}) for row in rows]


def read_trial_servers(
    connection: Connection, trial: int, *, state: TrialServerState | None = None
) -> list[TrialServer]:
    """Return the servers of a trial by the moment of their last change; those in one state if `state` is given."""
    query = select(trial_servers).where(trial_servers.c.trial == trial)
    if state is not None:
        query = query.where(trial_servers.c.state == state)
    rows = connection.execute(query.order_by(trial_servers.c.changed_at, trial_servers.c.server))
    return [TrialServer(**row._asdict()) for row in rows]
