"""A scenario of `mlops simulate`: which rows, how many a second, what changes in each phase, which outcomes follow."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = [
    "DeclaredRowsConfig",
    "DriftInjectionConfig",
    "FileRowsConfig",
    "OutcomesConfig",
    "PhaseConfig",
    "ReferenceRowsConfig",
    "RowsConfig",
    "ScenarioConfig",
]


class DeclaredRowsConfig(Section):
    """Rows of the source that `data.source` declares: drawn anew by the generator, otherwise with replacement."""

    kind: Literal["declared"]


class FileRowsConfig(Section):
    """Rows of a CSV or Parquet file with the declared columns and the target, drawn with replacement."""

    kind: Literal["file"]
    path: str = setting("The file, seen from the project's folder", min_length=1)


class ReferenceRowsConfig(Section):
    """Rows drawn from the counts in the package that serves, column by column; it needs no data."""

    kind: Literal["reference"]


RowsConfig = Annotated[DeclaredRowsConfig | FileRowsConfig | ReferenceRowsConfig, Field(discriminator="kind")]


class DriftInjectionConfig(Section):
    """One column moves: by `shift`, or to a `share` of one `word`, or to a share of `missing` values."""

    column: str = setting("Its name, or `number N` or `words N`: the N-th declared feature of that kind", min_length=1)
    shift: float | None = setting("How far a number moves", unit="standard deviations", default=None)
    word: str | None = setting("A word of the column, or `word N`: the N-th declared one", default=None)
    share: Share | None = setting("Share of that word among the present values", default=None)
    missing: Share | None = setting("Share of missing values", default=None)

    @model_validator(mode="after")
    def _check_exactly_one_change(self) -> Self:
        if (self.word is None) is not (self.share is None):
            raise ValueError("word and share go together: which word, and how much of it")
        if sum(one is not None for one in (self.shift, self.share, self.missing)) != 1:
            raise ValueError("is one of shift, word with share, missing; write a second change for a second one")
        return self


class PhaseConfig(Section):
    """A stretch of time in which traffic is of one kind."""

    name: str = setting("What it is called in the table at the end", min_length=1)
    seconds: float = setting("How long it lasts", unit="s", gt=0)
    rows_per_s: float | None = setting(
        "Rate in this phase, where it is another; 0: the sender is silent", unit="rows/s", default=None, ge=0
    )
    bad_request_share: Share = setting("Share of requests that a server must refuse", default=0.0)
    flipped_outcome_share: Share = setting("Share of outcomes that turn into another class", default=0.0)
    changes: tuple[DriftInjectionConfig, ...] = setting("What moves", default=())


class OutcomesConfig(Section):
    """What becomes true, and when it is told to `/feedback`."""

    share: Share = setting("Share of predictions whose outcome is told")
    delay_s: float = setting("Time between answer and outcome", unit="s", ge=0)
    duplicate_share: Share = setting("Share of them that are told a second time")
    conflicting_share: Share = setting("Share of them that another class precedes; the last one counts")


class ScenarioConfig(Section):
    """Traffic for a running server."""

    seed: int = setting("Seed of every draw", ge=0, le=2**32 - 1)
    rows: RowsConfig
    rows_per_s: float = setting("Rate", unit="rows/s", gt=0)
    rows_per_request: Positive = setting("Rows of one request", unit="rows")
    outcomes: OutcomesConfig
    phases: tuple[PhaseConfig, ...] = setting("One after another")

    @model_validator(mode="after")
    def _check_has_phases(self) -> Self:
        if not self.phases:  # a bound on the length would complain a second time about a phase that is wrong
            raise ValueError("phases: has none; write down at least one")
        return self
