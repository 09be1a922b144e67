"""Query what consumers of streams reported in the state database; no broker is asked."""

from __future__ import annotations

from contextlib import suppress

from pipeline.errors import MlopsError
from pipeline.state.stream_reports import StreamFacts, read_stream_facts

from .. import queries

__all__ = ["has_streams", "stream_facts"]


def stream_facts(model: str) -> StreamFacts:
    """Return the reports about a model; empty before the first registration."""
    if not queries.has_state():
        return StreamFacts()
    with queries.state().reading() as connection:
        return read_stream_facts(connection, model)


def has_streams() -> bool:
    """Return whether a consumer of this project ever reported; asked at most every half minute."""
    with suppress(MlopsError):  # the page shows it
        return _has_streams(str(queries.project_root()), queries.config().name)
    return False


@queries.cached(30, spinner=False)
def _has_streams(folder: str, model: str) -> bool:  # noqa: ARG001 - one for each project
    return not stream_facts(model).is_empty
