"""Commands that score files and take in what became true of predictions."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import UsageError
from pipeline.files import canonical_json
from pipeline.text import percent, pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.package import Package
    from pipeline.serving.files.file_log import FilePredictionLog
    from pipeline.state import State

__all__ = ["feedback", "predict"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ModelNameOption = Annotated[
    str | None, typer.Option("--model-name", help="Name in the registry; that of the settings.")
]


def predict(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or Parquet with the features as columns.")],
    *,
    target: Annotated[Path, typer.Option("--output", "-o", help="CSV or Parquet to write.")],
    version: Annotated[
        int | None, typer.Option("--version", help="Which version; that in Production when left out.")
    ] = None,
    chunk_rows: Annotated[
        int, typer.Option("--chunk-rows", min=1, help="Rows scored at once; bounds the memory, changes no output.")
    ] = 131_072,
    is_logged: Annotated[
        bool, typer.Option("--log", help="Keep the predictions in the log as well, each row of the file once.")
    ] = False,
    model_name: ModelNameOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a file of any size; run it again after a kill, and it goes on where it was."""
    from pipeline.serving.files.file_scorer import score_file

    with _open_version(model_name, version) as found:
        log = found.prediction_log() if is_logged else None
        done = score_file(found.package, source, target, chunk_rows=chunk_rows, log=log, on_progress=_print_progress)
    if as_json:
        told = {"output": str(done.path), "rows": done.n_rows, "resumed": done.n_resumed, "digest": done.digest}
        typer.echo(canonical_json(told), nl=False)
        return
    resumed = f", {done.n_resumed:,} of them by an earlier run" if done.n_resumed else ""
    typer.echo(f"{done.path}: {pluralize(done.n_rows, 'row')} scored{resumed}")


def feedback(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with prediction_id, outcome and perhaps source.")],
    *,
    model_name: ModelNameOption = None,
    as_json: AsJson = False,
) -> None:
    """Keep what became true of predictions; a prediction that is not in the log refuses the file."""
    import csv

    from pipeline.serving.outcomes import read_outcomes, store_outcomes

    try:
        with source.open(encoding="utf-8", newline="") as stream:
            rows = [{name: value for name, value in row.items() if value} for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{source}: cannot be read as CSV ({error})") from error
    with _open_version(model_name, None) as found:
        outcomes = read_outcomes({"outcomes": rows}, found.package.classes, max_rows=10_000_000)
        n_stored = store_outcomes(found.state, outcomes)
    typer.echo(
        canonical_json({"stored": n_stored}) if as_json else f"{pluralize(n_stored, 'outcome')} stored", nl=not as_json
    )


@dataclass(frozen=True, slots=True)
class _OpenVersion:
    """A version of a model, and the open state database that it was found in."""

    root: Path
    state: State
    model: str
    version: int
    generation: int
    package: Package

    def prediction_log(self) -> FilePredictionLog:
        from pipeline.serving.engine import load_hash_key
        from pipeline.serving.files.file_log import FilePredictionLog
        from pipeline.serving.scorer import RowScorer

        scorer = RowScorer(self.package, many_missing=1.0, hash_key=load_hash_key(self.root))
        return FilePredictionLog(self.state, self.model, self.version, self.generation, scorer)


@contextmanager
def _open_version(name: str | None, version: int | None) -> Iterator[_OpenVersion]:
    """Yield a version of a model, that in Production when None."""
    from pipeline import state as store
    from pipeline.config.config_loader import load_params
    from pipeline.package import PackageStore
    from pipeline.project import paths
    from pipeline.project.root import find_state_root

    root = find_state_root()
    model = load_params(root / "params.yaml").name if name is None else name
    state = store.open_state(root)
    try:
        with state.reading() as connection:
            served = store.current_deployment(connection, model)
            number = served.version("Production") if version is None else version
            if number is None:
                raise UsageError(f"no version of {model} is in Production; promote one: `mlops promote VERSION`")
            digest = store.find_version(connection, model, number).digest
        package = PackageStore(root / paths.PACKAGES).load(digest)
        yield _OpenVersion(root, state, model, number, served.generation, package)
    finally:
        state.close()


def _print_progress(n_done: int, n_total: int | None) -> None:
    whole = "" if not n_total else f" of {n_total:,} ({percent(n_done / n_total)})"
    typer.echo(f"{pluralize(n_done, 'row')}{whole}", err=True)
