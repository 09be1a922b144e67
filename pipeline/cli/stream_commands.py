"""`mlops stream`: predict for the events of a topic, and begin again where its events are gone."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from pipeline.cli.shared_options import open_state

__all__ = ["app"]

app = typer.Typer(help="Predict for the events of a Kafka topic until interrupted.", invoke_without_command=True)


@app.callback()
def stream(
    context: typer.Context,
    *,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="Folder of the state database and packages; located from here by default."),
    ] = None,
) -> None:
    """Predict for the events of a Kafka topic by the version in Production until interrupted."""
    if context.invoked_subcommand is not None:
        return
    from pipeline.streaming.stream_startup import start_stream

    start_stream(state_root=state)


@app.command("reset")
def reset(
    *,
    partition: Annotated[
        int | None, typer.Option("--partition", min=0, help="Number of the partition; all of the topic by default.")
    ] = None,
) -> None:
    """Let the group begin again at the oldest event, for a topic made anew or whose next events are gone."""
    from pipeline.config.config_loader import load_params
    from pipeline.state.stream_offsets import forget_stream_positions
    from pipeline.streaming.stream_startup import require_stream
    from pipeline.text import pluralize

    config = require_stream(load_params())
    with open_state() as opened, opened.writing() as connection:
        n = forget_stream_positions(connection, config.group, config.topics.events, partition)
    typer.echo(f"forgot {pluralize(n, 'position')} of group {config.group} in topic {config.topics.events}")
