"""Ask every stage whether it accepts rows, before the graph runs: each function here is called by a stage as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.data.csv_check import list_problems
from pipeline.data.csv_reader import parse_csv
from pipeline.data.formats.readers import is_csv
from pipeline.data.scoring_file import read_scoring_file
from pipeline.data.source_files import read_file_rows
from pipeline.data.splitters import split_train_test
from pipeline.errors import DataError
from pipeline.modeling.classifier import encode_target
from pipeline.modeling.training import check_folds
from pipeline.schema import Schema
from pipeline.validation import refusal_lines, select_training_rows
from pipeline.validation.arrow_rows import open_rows
from pipeline.validation.unseen_words import count_unseen_words

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pipeline.config.root_config import Config
    from pipeline.data.input_problems import InputProblem
    from pipeline.validation import TrainingRows

__all__ = ["CheckedFile", "check_file", "check_rows", "check_training_rows"]


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What is wrong with a file.

    Attributes
    ----------
    problems : tuple of InputProblem
        Of single lines and values, at most 100.
    refusals : tuple of str
        Why a stage of the graph refuses the rows as a whole.
    is_accepted : bool
        Whether the graph trains on these rows. Rows may break a declared check and be quarantined.
    warnings : tuple of str
        What refuses no row: words that an open column does not list.
    """

    problems: tuple[InputProblem, ...]
    refusals: tuple[str, ...]
    is_accepted: bool
    warnings: tuple[str, ...] = ()


def check_file(path: Path, config: Config, *, with_target: bool = True) -> CheckedFile:
    """Return what is wrong with a file of rows; without the target it is read as `mlops predict` reads it.

    Only CSV text has lines. In other formats, values have no problems of their own: the rules that they break are
    refusals.

    Raises
    ------
    DataError
        When there is no such file, or a file of another format than CSV has columns of other types.
    """
    schema = Schema.from_config(config.data)
    if not with_target:
        rows = read_scoring_file(path, schema, config.data.csv_dialect)
        warnings = () if rows.frame is None else _warnings(rows.frame, schema)
        return CheckedFile(rows.problems, (), is_accepted=not rows.problems, warnings=warnings)
    if not is_csv(path, config.data.format_keys):
        frame = read_file_rows(path, schema, config.data, where=str(path))
        refusals = check_rows(frame, config)
        return CheckedFile((), refusals, is_accepted=not refusals, warnings=_warnings(frame, schema))
    parsed = parse_csv(path, schema, config.data.csv_dialect)
    problems = tuple(list_problems(path, parsed, schema))
    if parsed.problems:
        return CheckedFile(problems, (), is_accepted=False)
    refusals = check_rows(parsed.frame, config)
    return CheckedFile(problems, refusals, is_accepted=not refusals, warnings=_warnings(parsed.frame, schema))


def _warnings(frame: pd.DataFrame, schema: Schema) -> tuple[str, ...]:
    counts = count_unseen_words(open_rows(frame, schema, with_target=False), schema)
    return tuple(f"warning: unseen of {each.column}: {each.message}" for each in counts)


def check_rows(frame: pd.DataFrame, config: Config) -> tuple[str, ...]:
    """Return why the stages validate, split or train refuse `frame`; none where they accept it.

    Parameters
    ----------
    frame : DataFrame
        Rows as the stage ingest writes them.
    config : Config
    """
    schema = Schema.from_config(config.data)
    rows = select_training_rows(frame, schema, config.validation, name=config.data.name)
    return check_training_rows(rows, config)


def check_training_rows(rows: TrainingRows, config: Config) -> tuple[str, ...]:
    """Return why the stages validate, split or train refuse rows that were validated; none where they accept them."""
    schema = Schema.from_config(config.data)
    if refusals := refusal_lines(rows.report, schema, config.validation):
        return refusals
    try:
        train = split_train_test(rows.valid, schema, config.data.split, seed=config.seed).train
        check_folds(encode_target(train, schema.target), schema.target, config.training.folds)
    except DataError as error:
        return (str(error),)
    return ()
