"""Search the settings of a model: draw configurations, race them over folds, choose one, write it as an experiment."""

from __future__ import annotations

import copy
import re
import shutil
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline import files
from pipeline.config.composition import compose, group_options
from pipeline.config.config_loader import build_config
from pipeline.config.search_space import read_search_space
from pipeline.errors import ConfigError, DataError
from pipeline.project import paths
from pipeline.selection.fold_race import PairedDifference, find_leader, paired_difference, race_over_folds
from pipeline.selection.fold_scores import FoldScores
from pipeline.selection.selection_rule import choose_configuration
from pipeline.sweeps import adopt_settings, new_experiment_path, trial_fingerprint
from pipeline.sweeps.trial_rows import load_train_rows
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pipeline.config.groups.lifecycle_config import SelectConfig
    from pipeline.config.root_config import Config
    from pipeline.selection.fold_race import RaceResult
    from pipeline.sweeps import AdoptedExperiment

__all__ = ["ConfigurationResult", "Selection", "next_experiment_name", "select_model", "use_experiment"]

PRESENT = "as configured"
_EXPERIMENT_LINE = re.compile(r"^(\s*- (?:optional )?experiment: )\S+", flags=re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ConfigurationResult:
    """What became of one configuration.

    Attributes
    ----------
    label : str
        The settings that vary, or `as configured`.
    overrides : mapping of str to value
    status : "chosen", "leader", "compared", "dropped" or "failed"
        The leader has the lowest mean loss; where it is chosen too, it is called chosen.
    loss : float or None
        Mean over the rows of all folds; None where not all folds were fitted.
    difference, standard_error : float or None
        Paired difference from the leader: of a dropped configuration when it was dropped.
    n_folds : int
    complexity : float or None
        Leaves, stored rows or weights; 1 for a linear model.
    error : str
        Why it could not be fitted.
    """

    label: str
    overrides: dict[str, Any]
    status: Literal["chosen", "leader", "compared", "dropped", "failed"]
    loss: float | None
    difference: float | None
    standard_error: float | None
    n_folds: int
    complexity: float | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """The result of a search.

    Attributes
    ----------
    metric : str
    n_folds, n_fits, n_possible_fits : int
        Folds that the compared configurations have, fits, and fits without a race.
    was_stopped : bool
        Whether the budget ended the search.
    results : tuple of ConfigurationResult
        The chosen one first, then by loss, then dropped and failed ones.
    experiment : AdoptedExperiment or None
        The written file; None where the present settings were chosen.
    """

    metric: str
    n_folds: int
    n_fits: int
    n_possible_fits: int
    was_stopped: bool
    results: tuple[ConfigurationResult, ...]
    experiment: AdoptedExperiment | None

    @property
    def chosen(self) -> ConfigurationResult:
        """The chosen configuration."""
        return self.results[0]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def select_model(
    options: SelectConfig,
    name: str,
    *,
    conf: Path = paths.CONF,
    clock: Callable[[], float] = time.monotonic,
    on_progress: Callable[[str], None] = lambda _line: None,
) -> Selection:
    """Search the settings of the model, and write conf/experiment/NAME.yaml unless the present ones are chosen.

    It runs in the folder of a project whose train rows are those of the last `dvc repro`. A search that was stopped
    is resumed by the same call: scores of earlier fits are read again.

    Parameters
    ----------
    options : SelectConfig
        Section `select` of the group `lifecycle`.
    name : str
        Name of the experiment.
    conf : Path
        Folder of the settings.
    clock : callable
        Returns seconds; `budget_s` is measured by it.
    on_progress : callable
        Gets a line after each fold.

    Raises
    ------
    ConfigError
        When the search space or a setting is not valid, or no configuration can be fitted.
    Conflict
        When an experiment of this name exists.
    DataError
        When the budget ends before configurations can be compared.
    """
    new_experiment_path(name, conf)
    space = read_search_space(options.search, conf=conf)
    drawn = space.draw()
    configs = _configurations(drawn, options.search, conf)
    _require_equal_folds(configs, options.search, conf)
    ledger = [paths.SELECTION_LEDGER / trial_fingerprint(config) for config in configs]
    scores = FoldScores(configs, load_train_rows(configs[0]), ledger)
    race = _race(scores, options, clock, on_progress)
    complexity = {number: scores.complexity(number) for number in range(len(configs))}
    chosen = choose_configuration(race.losses, complexity, options.rule)
    experiment = None if chosen == 0 else _adopt(configs[chosen], name, race, chosen=chosen, conf=conf)
    _remove_other_scores(ledger)
    return Selection(
        metric=scores.metric,
        n_folds=race.n_folds,
        n_fits=race.n_fits,
        n_possible_fits=len(configs) * configs[0].training.folds,
        was_stopped=race.was_stopped,
        results=tuple(_results(race, [{}, *drawn], complexity, chosen=chosen)),
        experiment=experiment,
    )


def _race(
    scores: FoldScores, options: SelectConfig, clock: Callable[[], float], on_progress: Callable[[str], None]
) -> RaceResult:
    training, end = scores.configs[0].training, clock() + options.budget_s
    race = race_over_folds(
        len(scores.configs),
        training.folds,
        fit=scores.fit,
        losses=scores.losses,
        max_distance=options.race,
        should_stop=lambda: clock() > end,
        on_fold=lambda n_folds, n: on_progress(f"fold {n_folds}: {pluralize(n, 'configuration')} left"),
        n_jobs=training.n_jobs,
    )
    if not race.losses and race.failures:
        raise ConfigError(f"no configuration could be fitted; the first: {next(iter(race.failures.values()))}")
    if not race.losses:
        raise DataError(
            f"lifecycle.select.budget_s: {options.budget_s:g} s were over before configurations could be compared;"
            " raise it, or run `mlops select` again: it continues"
        )
    return race


def next_experiment_name(conf: Path = paths.CONF) -> str:
    """Return `auto_SEQ` with the first number above those of conf/experiment."""
    numbers = [
        int(match[1])
        for path in (conf / "experiment").glob("auto_*.yaml")
        if (match := re.fullmatch(r"auto_(\d+)", path.stem)) is not None
    ]
    return f"auto_{max(numbers, default=0) + 1}"


def use_experiment(name: str, *, conf: Path = paths.CONF) -> None:
    """Make an experiment the default of the project: its line in conf/config.yaml names it.

    Raises
    ------
    ConfigError
        When the file has no such line.
    """
    path = conf / "config.yaml"
    text, n_changed = _EXPERIMENT_LINE.subn(rf"\g<1>{name}", path.read_text(encoding="utf-8"))
    if n_changed != 1:
        raise ConfigError(f"{path}: has no line `- optional experiment: null` in its defaults; add it")
    files.write_text(path, text)


def _configurations(overrides: Sequence[Mapping[str, Any]], search: str, conf: Path) -> list[Config]:
    """Return the present settings, then those of each configuration of a search."""
    word, groups = f"hparams_search={search}", group_options(conf)
    searched = compose([word], conf=conf).values
    configs = [build_config(compose(conf=conf).values, where=str(conf))]
    for changes in overrides:
        if groups.keys().isdisjoint(changes):
            values = copy.deepcopy(searched)
            for key, value in changes.items():
                _set_leaf(values, key.lstrip("+"), value)
        else:
            values = compose([word, *(f"{key}={value}" for key, value in changes.items())], conf=conf).values
        configs.append(build_config(values, where=f"{conf}/hparams_search/{search}.yaml with {dict(changes)}"))
    return configs


def _set_leaf(values: dict[str, Any], key: str, value: Any) -> None:
    *above, last = key.split(".")
    for part in above:
        values = values.setdefault(part, {})
    values[last] = value


def _require_equal_folds(configs: Sequence[Config], search: str, conf: Path) -> None:
    first = configs[0]
    for config in configs[1:]:
        for key, before, after in (
            ("seed", first.seed, config.seed),
            ("data", first.data, config.data),
            ("training.folds", first.training.folds, config.training.folds),
            ("training.selection_metric", first.training.selection_metric, config.training.selection_metric),
        ):
            if before != after:
                raise ConfigError(
                    f"{conf}/hparams_search/{search}.yaml: changes {key}; a race compares configurations on the same"
                    " folds by the same metric: leave it out of the file"
                )


def _adopt(config: Config, name: str, race: RaceResult, *, chosen: int, conf: Path) -> AdoptedExperiment:
    loss = float(race.losses[chosen].mean())
    metric = config.training.selection_metric
    comment = f"Which settings did `mlops select` choose? {metric} of the search: {loss:.5g}."
    return adopt_settings(config.model_dump(mode="json"), name, conf=conf, comment=comment)


def _remove_other_scores(ledger: Sequence[Path]) -> None:
    """Remove the scores of earlier searches: those of other rows, settings or code are of no use."""
    names = {folder.name for folder in ledger}
    for folder in paths.SELECTION_LEDGER.iterdir():
        if folder.name not in names:
            shutil.rmtree(folder)


def _results(
    race: RaceResult, overrides: Sequence[dict[str, Any]], complexity: dict[int, float | None], *, chosen: int
) -> list[ConfigurationResult]:
    leader = find_leader(race.losses)
    order = [
        chosen,
        *sorted((number for number in race.losses if number != chosen), key=lambda n: float(race.losses[n].mean())),
        *sorted(race.dropped, key=lambda number: race.dropped[number].mean),
        *sorted(race.failures),
    ]
    return [
        _result(race, number, overrides[number], complexity[number], chosen=chosen, leader=leader) for number in order
    ]


def _result(
    race: RaceResult, number: int, changes: dict[str, Any], complexity: float | None, *, chosen: int, leader: int
) -> ConfigurationResult:
    difference: PairedDifference | None = race.dropped.get(number)
    status: Any = "failed" if number in race.failures else "dropped"
    if number in race.losses:
        difference = paired_difference(race.losses[number], race.losses[leader])
        status = "chosen" if number == chosen else "leader" if number == leader else "compared"
    return ConfigurationResult(
        label=" ".join(f"{key.rpartition('.')[2]}={value}" for key, value in changes.items()) or PRESENT,
        overrides=dict(changes),
        status=status,
        loss=float(race.losses[number].mean()) if number in race.losses else None,
        difference=None if difference is None else difference.mean,
        standard_error=None if difference is None else difference.standard_error,
        n_folds=race.dropped_after.get(number, race.n_folds if number in race.losses else 0),
        complexity=complexity,
        error=race.failures.get(number, ""),
    )
