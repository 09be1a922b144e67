"""Group `features`: how features become numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from pipeline.config.groups.section import Positive, Section, setting
from pipeline.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DatesConfig", "FeaturesConfig", "MethodConfig", "NumbersConfig", "TextConfig", "WordsConfig"]

_Count = Annotated[int, Field(ge=0)]


class MethodConfig(Section):
    """Settings of an encoding; a column may declare keys of its own under `encode`."""

    def with_keys(self, keys: Mapping[str, Any], *, column: str) -> Self:
        """Return these settings with the `keys` that a column declares.

        Raises
        ------
        ConfigError
            When a key is unknown, or its value is not accepted.
        """
        if not keys:
            return self
        listed = {key: tuple(value) if isinstance(value, list) else value for key, value in keys.items()}
        try:
            return type(self).model_validate({**self.model_dump(), **listed})
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            name = str(problem["loc"][0]) if problem["loc"] else "encode"
            known = sorted(type(self).model_fields)
            if problem["type"] == "extra_forbidden":
                message = f"is not a key here; known: {', '.join(known)}{did_you_mean(name, known)}"
            else:
                message = f"found {keys.get(name)!r}; {problem['msg'].removeprefix('Value error, ').lower()}"
            raise ConfigError(f"data.columns.{column}.encode.{name}: {message}") from error


class NumbersConfig(MethodConfig):
    """Encoding of numbers: methods `plain`, `log` and `bins`."""

    clip: float = setting("Share of the train rows at each end whose numbers are clipped; 0 clips none", ge=0, lt=0.5)
    n_bins: int = setting("Quantile bins of the method `bins`", unit="bins", ge=2, le=255)


class DatesConfig(MethodConfig):
    """Encoding of dates: methods `parts` and `days`."""

    parts: tuple[Literal["year", "month", "day", "weekday", "hour", "day_of_year"], ...] = setting(
        "Parts of the calendar besides the days since the first date; one that does not vary is left out"
    )
    cyclic: Literal["auto", "always", "never"] = setting(
        "Whether recurring parts become sine and cosine; auto: where numbers are scaled"
    )


class WordsConfig(MethodConfig):
    """Encoding of words with many values: method `words`."""

    min_rows: Positive = setting("Words of fewer train rows are encoded as one; of private columns at least 5")
    max_words: Positive = setting("Most frequent words that are encoded by themselves")
    target: bool = setting("Whether to add the smoothed share of each class, out of fold in training")
    n_components: _Count = setting(
        "Components of the n-grams of the words, at most one for each 4 different words; 0 adds none"
    )


class TextConfig(MethodConfig):
    """Encoding of texts: method `text`."""

    analyzer: Literal["char_wb", "char", "word"] = setting("What n-grams consist of, as in scikit-learn")
    ngram_range: tuple[Positive, Positive] = setting("Shortest and longest n-gram")
    min_rows: Positive = setting("N-grams of fewer train rows are left out; of private columns at least 5")
    max_ngrams: int = setting("Most frequent n-grams that count", ge=1, le=32_767)
    n_components: Positive = setting("Components of a truncated singular value decomposition")
    max_characters: Positive = setting("Characters of a text that are read; the rest is left out")

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.ngram_range[0] > self.ngram_range[1] or self.ngram_range[1] > 8:
            raise ValueError("ngram_range: expected [shortest, longest], at most 8")
        return self


class FeaturesConfig(Section):
    """How features become numbers; `auto` follows the `inputs` of the model."""

    missing: Literal["auto", "native", "impute"] = setting("Pass missing values to the estimator, or impute them")
    imputation: Literal["median", "mean"] = setting("Imputed value of a missing number")
    missing_indicators: Literal["auto", "always", "never"] = setting("Whether to add an indicator of missing values")
    categories: Literal["auto", "codes", "one_hot"] = setting("Encoding of categories")
    max_codes: _Count = setting("Categories with more values are encoded as `words` rather than `codes`")
    max_one_hot: _Count = setting("Categories with more values are encoded as `words` rather than `one_hot`")
    scale: Literal["auto", "none", "standard"] = setting("Whether to scale numbers to mean 0 and standard deviation 1")
    numbers: NumbersConfig
    dates: DatesConfig
    words: WordsConfig
    text: TextConfig
    derived: dict[str, str] = setting(
        "Further features by name: expressions over features, such as spend_per_visit: spent / visits", default={}
    )
