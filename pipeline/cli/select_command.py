"""`mlops select`: search the settings of the model and write the chosen ones as an experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared_options import AsJson  # noqa: TC001 - typer reads it
from pipeline.files import canonical_json
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.selection import Selection

__all__ = ["select", "selection_lines"]


def select(
    *,
    search: Annotated[
        str | None, typer.Option("--search", help="File of conf/hparams_search/; lifecycle.select.search by default.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--as", help="Name of the new file in conf/experiment/; auto_SEQ by default.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Make the experiment the default in conf/config.yaml.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Search the settings of the model on the train rows, and write the chosen ones to conf/experiment/.

    Nothing is written if the present settings are chosen. A search that was stopped continues with the same command.
    """
    from pipeline.config.composition import compose
    from pipeline.config.config_loader import build_config
    from pipeline.selection import next_experiment_name, select_model, use_experiment

    options = build_config(compose().values, where="conf").lifecycle.select
    if search is not None:
        options = options.model_copy(update={"search": search})
    experiment = name if name is not None else next_experiment_name()
    selection = select_model(options, experiment, on_progress=lambda line: typer.echo(f"[select] {line}", err=True))
    is_applied = apply and selection.experiment is not None
    if is_applied:
        use_experiment(experiment)
    if as_json:
        typer.echo(canonical_json({**selection.as_dict(), "applied": is_applied}), nl=False)
        return
    for line in selection_lines(selection, experiment, is_applied=is_applied):
        typer.echo(line)


def selection_lines(selection: Selection, name: str, *, is_applied: bool) -> Iterator[str]:
    """Yield the table of configurations, and the next command."""
    yield f"{selection.metric:>10}  {'difference':>10}  {'SE':>9}  {'folds':>5}  {'size':>7}  status    configuration"
    for result in selection.results:
        values = (result.loss, result.difference, result.standard_error)
        shown = "  ".join(
            f"{'' if value is None else f'{value:.5f}':>{width}}"
            for value, width in zip(values, (10, 10, 9), strict=True)
        )
        size = "" if result.complexity is None else f"{result.complexity:,.0f}"
        yield f"{shown}  {result.n_folds:>5}  {size:>7}  {result.status:8}  {result.label}"
        if result.error:
            yield f"  {result.error[:300]}"
    ending = "; the budget ended the search" if selection.was_stopped else ""
    yield f"{pluralize(selection.n_fits, 'fit')} of {selection.n_possible_fits:,}{ending}"
    if selection.experiment is None:
        yield "the present settings were chosen; nothing is written"
    elif is_applied:
        yield f"{selection.experiment.path}: written and chosen in conf/config.yaml; train with `dvc repro`"
    else:
        yield f"{selection.experiment.path}: written; train with `dvc exp run -S experiment={name}`"
