"""Search runs, select them by id or name, and compare them."""

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
    """A run of the store; moments are UTC in milliseconds since 1970."""

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
        """Whether the run finished successfully."""
        return self.status == "FINISHED"


@contextmanager
def require_store() -> Iterator[None]:
    """Raise DependencyUnavailable if the store is unreachable inside the block.

    Raises
    ------
    DependencyUnavailable
        Naming the store and the reason.
    """
    try:
        yield
    except StoreUnreachable as error:
        raise DependencyUnavailable(
            f"the tracking store is unreachable: {error}. Start the server or fix its URI, then try again"
        ) from error


def search_store(
    store: RunStore, experiment: str, *, tags: Mapping[str, object], text: str = "", n: int = 1000
) -> list[RecordedRun]:
    """Return the runs of an experiment that have all `tags`, newest first."""
    clauses = [f"tags.`{name}` = '{_filter_value(value)}'" for name, value in tags.items()]
    query = " and ".join([*clauses, *([text] if text else [])])
    client = store.client()
    experiment_id = store.experiment_id(experiment)
    runs: list[Any] = []
    with store.translate_errors():
        token = None
        while len(runs) < n:
            page = client.search_runs(
                [experiment_id],
                query,
                max_results=min(1000, n - len(runs)),
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            runs += page
            token = page.token
            if not token:
                break
    return [_to_recorded_run(run) for run in runs]


def _filter_value(value: object) -> str:
    text = str(value)
    if "'" in text:
        raise UsageError(f"search: {text!r} contains a quotation mark, which MLflow filters do not support")
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
    """Return the runs with the given ids, prefixes of ids (at least four characters), or names, in that order.

    Raises
    ------
    UsageError
        Naming an id or name that matches no run or several.
    """
    if run_ids is None:
        return list(runs)
    return [_select_run(runs, id_or_name) for id_or_name in run_ids]


def _select_run(runs: Sequence[RecordedRun], id_or_name: str) -> RecordedRun:
    exact = [run for run in runs if id_or_name in (run.run_id, run.name)]
    by_prefix = [run for run in runs if len(id_or_name) >= 4 and run.run_id.startswith(id_or_name)]
    matches = exact or by_prefix
    if not matches:
        raise UsageError(
            f"no run has the id or name {id_or_name!r}{did_you_mean(id_or_name, [run.name for run in runs])};"
            " see `mlops tracking compare`"
        )
    if len(matches) > 1:
        ids = ", ".join(run.run_id[:8] for run in matches[:5])
        raise UsageError(f"{len(matches)} runs match {id_or_name!r}: {ids}; use a prefix of an id instead")
    return matches[0]


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
