"""Read a search space of conf/hparams_search, and draw configurations from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config.composition import group_options, sweeper_settings
from pipeline.errors import ConfigError, did_you_mean
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["SearchParameter", "SearchSpace", "read_search_space"]

_GROUP = "hparams_search"


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """A key of conf/ that a search varies.

    Attributes
    ----------
    key : str
    values : tuple
        The possible values; empty for an interval.
    low, high : float
        The interval.
    is_log, is_integer : bool
        Whether the interval has a logarithmic scale, and whole numbers only.
    """

    key: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    is_log: bool = False
    is_integer: bool = False

    def value_at(self, position: float) -> Any:
        """Return the value at a position between 0 and 1 (exclusive), such that equal lengths are equally likely."""
        if self.values:
            return self.values[int(position * len(self.values))]
        if self.is_integer and not self.is_log:
            return int(self.low + position * (self.high - self.low + 1))
        if self.is_log:
            value = math.exp(math.log(self.low) + position * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + position * (self.high - self.low)
        return round(value) if self.is_integer else float(f"{value:.4g}")


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The keys that a search varies, and how many configurations it tries."""

    name: str
    n_trials: int
    seed: int
    parameters: tuple[SearchParameter, ...]

    def draw(self) -> list[dict[str, Any]]:
        """Return `n_trials` configurations by key, equal ones once: a Latin hypercube (McKay et al. 1979)."""
        rng = np.random.default_rng(self.seed)
        positions: dict[str, NDArray[np.float64]] = {
            parameter.key: (rng.permutation(self.n_trials) + rng.random(self.n_trials)) / self.n_trials
            for parameter in self.parameters
        }
        drawn: list[dict[str, Any]] = []
        for trial in range(self.n_trials):
            values = {
                parameter.key: parameter.value_at(float(positions[parameter.key][trial]))
                for parameter in self.parameters
            }
            if values not in drawn:
                drawn.append(values)
        return drawn


def read_search_space(name: str, *, conf: Path = paths.CONF) -> SearchSpace:
    """Return the search space of conf/hparams_search/NAME.yaml.

    Raises
    ------
    ConfigError
        When there is no such file, or a parameter has another form than choice, range or interval.
    """
    known = group_options(conf).get(_GROUP, ())
    if name not in known:
        raise ConfigError(
            f"lifecycle.select.search: no file {conf}/{_GROUP}/{name}.yaml; expected one of {', '.join(known)}"
            f"{did_you_mean(name, known)}"
        )
    sweeper = sweeper_settings([f"{_GROUP}={name}"], conf=conf)
    parameters: Mapping[str, Any] = sweeper.get("params") or {}
    if not parameters:
        raise ConfigError(f"{conf}/{_GROUP}/{name}.yaml: hydra.sweeper.params is empty; name the keys that vary")
    return SearchSpace(
        name=name,
        n_trials=int(sweeper["n_trials"]),
        seed=int((sweeper.get("sampler") or {}).get("seed") or 0),
        parameters=tuple(_parse(key, str(value), f"{conf}/{_GROUP}/{name}.yaml") for key, value in parameters.items()),
    )


def _parse(key: str, text: str, place: str) -> SearchParameter:
    """Return a parameter written in Hydra's grammar."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep
    from hydra.errors import HydraException

    try:
        sweep = OverridesParser.create().parse_override(f"{key}={text}").value()
    except HydraException as error:
        raise ConfigError(f"{place}: hydra.sweeper.params.{key}: {' '.join(str(error).split())[:200]}") from error
    match sweep:
        case ChoiceSweep():
            return SearchParameter(key, values=tuple(sweep.list))
        case RangeSweep():
            return SearchParameter(key, values=tuple(sweep.range()))
        case IntervalSweep():
            tags = sweep.tags
            return SearchParameter(
                key,
                low=float(sweep.start),  # type: ignore[arg-type]
                high=float(sweep.end),  # type: ignore[arg-type]
                is_log="log" in tags,
                is_integer="int" in tags,
            )
    raise ConfigError(
        f"{place}: hydra.sweeper.params.{key}: found {text!r}, expected choice(...), range(...) or interval(...)"
    )
