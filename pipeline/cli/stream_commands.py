"""`mlops stream`: predict for the events of a topic, store outcomes of another, show the lag, replay dead letters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.shared_options import AsJson, parse_timestamp
from pipeline.cli.terminal_output import print_table
from pipeline.errors import UsageError
from pipeline.text import format_duration, pluralize

__all__ = ["app"]

app = typer.Typer(
    help="Predict for the events of a Kafka topic until interrupted; lag, outcomes and dead letters.",
    invoke_without_command=True,
)

_LAG_HEAD = ("group", "topic", "partition", "next offset", "end", "lag", "oldest event waits for")

HostOption = Annotated[str, typer.Option("--host", help="Address of /metrics, /livez and /readyz.")]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the same; 0 picks a free one.")]
StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="Folder of the state database and packages; located from here by default."),
]


@app.callback()
def stream(
    context: typer.Context, *, host: HostOption = "127.0.0.1", port: PortOption = 9108, state: StateOption = None
) -> None:
    """Predict for the events of a Kafka topic by the version in Production until interrupted."""
    if context.invoked_subcommand is not None:
        return
    from pipeline.streaming.stream_startup import start_stream

    start_stream((host, port), state_root=state)


@app.command("outcomes")
def outcomes(*, host: HostOption = "127.0.0.1", port: PortOption = 9109, state: StateOption = None) -> None:
    """Store the outcomes of a Kafka topic until interrupted."""
    from pipeline.streaming.stream_startup import start_outcomes

    start_outcomes((host, port), state_root=state)


@app.command("lag")
def lag(*, as_json: AsJson = False) -> None:
    """Show how many events wait in each partition, and for how long; asks the broker."""
    from pipeline.streaming.stream_startup import read_lags

    lags = read_lags()
    if as_json:
        rows = [{"group": group, **each.as_dict()} for group, each_group in lags.items() for each in each_group]
        typer.echo(json.dumps({"lag": sum(row["lag"] for row in rows), "partitions": rows}, indent=2))
        return
    table = []
    for group, each_group in lags.items():
        for each in each_group:
            age_s = each.age_s(each.measured_at)
            waits = "-" if age_s is None else format_duration(int(age_s * 1e6))
            numbers = (each.partition.number, each.next_offset, each.end_offset, each.lag)
            table.append((group, each.partition.topic, *map(str, numbers), waits))
    print_table(_LAG_HEAD, table)


@app.command("replay")
def replay(
    *,
    dead: Annotated[bool, typer.Option("--dead", help="Predict for dead letters, the only events to replay.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", help="ISO 8601, UTC without an offset; all dead letters by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict for dead letters again after their cause is fixed; predictions in the log are sent again, not doubled."""
    if not dead:
        raise UsageError("mlops stream replay: expected --dead; `mlops stream reset TOPIC` begins at the oldest event")
    from pipeline.streaming.stream_startup import replay_dead_letters

    result = replay_dead_letters(since_us=None if since is None else parse_timestamp(since, option="--since"))
    if as_json:
        typer.echo(json.dumps(result.as_dict(), indent=2))
        return
    typer.echo(f"predicted for {pluralize(result.n_predicted, 'dead letter')}")
    others = {
        "had a prediction before, which was sent again": result.n_repeated,
        "still get no prediction, see the header `problem`": result.n_dead,
        "have no value, because the topic refused it for its size": result.n_without_value,
        "are of another topic, another group, or a topic before `mlops stream reset TOPIC`": result.n_foreign,
    }
    for text, count in others.items():
        if count:
            typer.echo(f"{count:,} {text}")


@app.command("reset")
def reset(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Topic of events or of outcomes, by its name.")],
    *,
    partition: Annotated[
        int | None, typer.Option("--partition", min=0, help="Number of the partition; all of the topic by default.")
    ] = None,
) -> None:
    """Let the group begin again at the oldest event, for a topic made anew or whose next events are gone."""
    from pipeline.streaming.stream_startup import reset_topic

    n_forgotten, group = reset_topic(topic, partition=partition)
    typer.echo(f"forgot {pluralize(n_forgotten, 'position')} of group {group} in topic {topic}")
