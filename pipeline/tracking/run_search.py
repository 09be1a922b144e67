"""Find runs by their words and lay them side by side."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import DependencyUnavailable, UsageError, did_you_mean
from pipeline.tracking.run_store import StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from pipeline.tracking.run_store import RunStore

__all__ = ["RecordedRun", "require_store", "runs_table", "search_store", "select_runs"]


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run as the store has it; moments are UTC in milliseconds since 1970."""

    run_id: str
    name: str
    status: str
    started_ms: int
    ended_ms: int | None
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    artifact_uri: str

    @property
    def is_finished(self) -> bool:
        """Whether the run ended well."""
        return self.status == "FINISHED"


@contextmanager
def require_store() -> Iterator[None]:
    """Turn a store that is down into our error, where there is nothing to do without it.

    Raises
    ------
    DependencyUnavailable
        Saying which store, and why.
    """
    try:
        yield
    except StoreUnreachable as error:
        raise DependencyUnavailable(
            f"the store of runs is not to be had: {error}. Start the server, or mend its address, and try again"
        ) from error


def search_store(
    store: RunStore, experiment: str, *, tags: Mapping[str, object], text: str = "", n: int = 1000
) -> list[RecordedRun]:
    """Return the runs of an experiment that have all `tags`, newest first."""
    clauses = [f"tags.`{name}` = '{_filter_value(value)}'" for name, value in tags.items()]
    query = " and ".join([*clauses, *([text] if text else [])])
    client = store.client()
    experiment_id = store.experiment_id(experiment)
    found: list[Any] = []
    with store.translate_errors():
        token = None
        while len(found) < n:
            page = client.search_runs(
                [experiment_id],
                query,
                max_results=min(1000, n - len(found)),
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            found += page
            token = page.token
            if not token:
                break
    return [_to_recorded_run(run) for run in found]


def _filter_value(value: object) -> str:
    text = str(value)
    if "'" in text:
        raise UsageError(f"search: {text!r} has a quotation mark, which MLflow cannot look for")
    return text


def _to_recorded_run(run: Any) -> RecordedRun:
    info, data = run.info, run.data
    return RecordedRun(
        run_id=info.run_id,
        name=info.run_name or "",
        status=info.status,
        started_ms=info.start_time,
        ended_ms=info.end_time,
        params=dict(data.params),
        metrics=dict(data.metrics),
        tags=dict(data.tags),
        artifact_uri=info.artifact_uri,
    )


def select_runs(runs: Sequence[RecordedRun], run_ids: Sequence[str] | None) -> list[RecordedRun]:
    """Return the runs whose id, beginning of an id (at least four letters), or name is wanted, in that order.

    Raises
    ------
    UsageError
        Naming the one that is missing or stands for several.
    """
    if run_ids is None:
        return list(runs)
    return [_select_run(runs, word) for word in run_ids]


def _select_run(runs: Sequence[RecordedRun], id_or_name: str) -> RecordedRun:
    named = [run for run in runs if id_or_name in (run.run_id, run.name)]
    begun = [run for run in runs if len(id_or_name) >= 4 and run.run_id.startswith(id_or_name)]
    found = named or begun
    if not found:
        raise UsageError(
            f"no run has the id or name {id_or_name!r}{did_you_mean(id_or_name, [run.name for run in runs])}; see `mlops tracking compare`"
        )
    if len(found) > 1:
        ids = ", ".join(run.run_id[:8] for run in found[:5])
        raise UsageError(f"{len(found)} runs are meant by {id_or_name!r}: {ids}; say the beginning of an id instead")
    return found[0]


def runs_table(runs: Sequence[RecordedRun]) -> pd.DataFrame:
    """Return one row for each run: id, name, status, parameters that differ (`params.*`), metrics (`metrics.*`)."""
    import pandas as pd

    names = sorted({name for run in runs for name in run.params})
    differing = [name for name in names if len({run.params.get(name) for run in runs}) > 1]
    metrics = sorted({name for run in runs for name in run.metrics})
    rows = [
        {
            "run_id": run.run_id,
            "name": run.name,
            "status": run.status,
            **{f"params.{name}": run.params.get(name) for name in differing},
            **{f"metrics.{name}": run.metrics.get(name) for name in metrics},
        }
        for run in runs
    ]
    return pd.DataFrame(rows, columns=None if rows else ["run_id", "name", "status"])
