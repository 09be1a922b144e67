"""Group `scenario`: rows, rates, drift and outcomes of the traffic that `mlops simulate` sends."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.groups.section import Positive, Section, Share, setting

__all__ = [
    "BrokenChallengerConfig",
    "ChallengerConfig",
    "ConditionConfig",
    "DeclaredRowsConfig",
    "DriftInjectionConfig",
    "FileRowsConfig",
    "OutcomesConfig",
    "PhaseConfig",
    "ReferenceRowsConfig",
    "RowsConfig",
    "ScenarioConfig",
    "WorseChallengerConfig",
]


class DeclaredRowsConfig(Section):
    """Rows of `data.source`: a synthetic source generates new rows, other sources are sampled with replacement."""

    kind: Literal["declared"]


class FileRowsConfig(Section):
    """Rows of a CSV or Parquet file with the declared columns and the target, sampled with replacement."""

    kind: Literal["file"]
    path: str = setting("File, relative to the project root", min_length=1)


class ReferenceRowsConfig(Section):
    """Rows sampled from the bin counts of the package in Production, feature by feature; needs no data."""

    kind: Literal["reference"]


RowsConfig = Annotated[DeclaredRowsConfig | FileRowsConfig | ReferenceRowsConfig, Field(discriminator="kind")]


class DriftInjectionConfig(Section):
    """Drift of one feature: a `shift`, a `share` of one category (`word`), or a share of `missing` values."""

    column: str = setting("Name, or `number N` or `words N`: the N-th numeric or categorical feature", min_length=1)
    shift: float | None = setting("Shift of a numeric feature", unit="standard deviations", default=None)
    word: str | None = setting("A category, or `word N`: the N-th declared one", default=None)
    share: Share | None = setting("Share of that category among the present values", default=None)
    missing: Share | None = setting("Share of missing values", default=None)

    @model_validator(mode="after")
    def _check_exactly_one_change(self) -> Self:
        if (self.word is None) is not (self.share is None):
            raise ValueError("`word` and `share` go together: a category and its share")
        if sum(value is not None for value in (self.shift, self.share, self.missing)) != 1:
            raise ValueError("takes exactly one of shift, word with share, missing; add another change for another one")
        return self


class ConditionConfig(Section):
    """Rows whose feature has a category (`word`), or a number above a quantile (`above`)."""

    column: str = setting("Name, or `number N` or `words N`: the N-th numeric or categorical feature", min_length=1)
    word: str | None = setting("A category, or `word N`: the N-th declared one", default=None)
    above: Share | None = setting("Quantile of a numeric feature among the rows without drift", default=None)

    @model_validator(mode="after")
    def _check_exactly_one_test(self) -> Self:
        if (self.word is None) is (self.above is None):
            raise ValueError("takes exactly one of word, above")
        return self


class PhaseConfig(Section):
    """A time span with one kind of traffic."""

    name: str = setting("Name in the result table", min_length=1)
    seconds: float = setting("Duration", unit="s", gt=0)
    rows_per_s: float | None = setting(
        "Rate of this phase, if different; 0: no requests", unit="rows/s", default=None, ge=0
    )
    bad_request_share: Share = setting("Share of invalid requests", default=0.0)
    flipped_outcome_share: Share = setting("Share of outcomes flipped to another class", default=0.0)
    flipped_outcome_where: ConditionConfig | None = setting("Rows whose outcomes may flip; null: all", default=None)
    flipped_outcome_callers: Positive | None = setting(
        "Number of callers who flip outcomes, the first ones; null: all", default=None
    )
    changes: tuple[DriftInjectionConfig, ...] = setting("Drift of the phase", default=())


class OutcomesConfig(Section):
    """Outcomes that the client sends to `/v1/feedback`."""

    share: Share = setting("Share of predictions that get an outcome")
    delay_s: float = setting("Time between prediction and outcome", unit="s", ge=0)
    duplicate_share: Share = setting("Share of outcomes that are sent twice")
    conflicting_share: Share = setting("Share of outcomes preceded by another class; the last one counts")
    n_callers: Positive = setting("Number of callers who send outcomes, each with an API key of its own", default=1)


class WorseChallengerConfig(Section):
    """A version that is trained on wrong classes, so that its predictions are worse."""

    kind: Literal["worse"]
    flipped_share: Share = setting("Share of the train rows with another class")


class BrokenChallengerConfig(Section):
    """A version that declares a narrower range of its first number, so that it refuses rows that others accept."""

    kind: Literal["broken"]
    refused_share: Share = setting("Share of the rows that it refuses")


ChallengerConfig = Annotated[WorseChallengerConfig | BrokenChallengerConfig, Field(discriminator="kind")]


class ScenarioConfig(Section):
    """Traffic for a running server."""

    seed: int = setting("Seed of all samples", ge=0, le=2**32 - 1)
    rows: RowsConfig
    rows_per_s: float = setting("Rate", unit="rows/s", gt=0)
    rows_per_request: Positive = setting("Rows of one request", unit="rows")
    outcomes: OutcomesConfig
    challenger: ChallengerConfig | None = setting(
        "Version that is trained, registered and put on trial before the traffic; null: none", default=None
    )
    phases: tuple[PhaseConfig, ...] = setting("Phases, in order")

    @model_validator(mode="after")
    def _check_phases(self) -> Self:
        if not self.phases:  # a min_length would report a wrong phase twice
            raise ValueError("phases: is empty; add at least one phase")
        for number, phase in enumerate(self.phases):
            if (phase.flipped_outcome_callers or 0) > self.outcomes.n_callers:
                raise ValueError(
                    f"phases[{number}].flipped_outcome_callers: is {phase.flipped_outcome_callers}; expected at most"
                    f" outcomes.n_callers, {self.outcomes.n_callers}"
                )
        return self
