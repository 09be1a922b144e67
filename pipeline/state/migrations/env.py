"""Run Alembic's migrations on the connection of the caller, in its transaction."""

from __future__ import annotations

from alembic import context

from pipeline.state.tables import METADATA

__all__ = ["run"]


def run() -> None:
    """Run the migrations that were asked for."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        version_table="mlops_schema",
        render_as_batch=True,
    )
    context.run_migrations()


run()
