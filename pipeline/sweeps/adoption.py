"""Write an experiment file with the settings of a run that differ from conf/."""

from __future__ import annotations

import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline import files
from pipeline.config.composition import compose, flatten_settings, group_options
from pipeline.config.config_loader import build_config
from pipeline.config.strict_yaml import read_yaml
from pipeline.errors import ConfigError, Conflict, UsageError
from pipeline.project import paths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.tracking import ExperimentTracker, RecordedRun

__all__ = ["AdoptedExperiment", "adopt_run", "adopt_settings", "new_experiment_path"]

# Tracking settings do not affect the result.
_IGNORED_SECTIONS = ("tracking",)
_EXPERIMENT_NAME = r"[a-z][a-z0-9_]*"


@dataclass(frozen=True, slots=True)
class AdoptedExperiment:
    """The written file, and the run that had its settings; None where no run had."""

    path: str
    run_id: str | None
    overrides: dict[str, Any]
    text: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def adopt_run(tracker: ExperimentTracker, id_or_name: str, name: str, *, conf: Path = paths.CONF) -> AdoptedExperiment:
    """Write conf/experiment/NAME.yaml such that composing it gives the settings of a run.

    Parameters
    ----------
    tracker : ExperimentTracker
        Tracker of the run.
    id_or_name : str
        Id of the run, a prefix of it, or its name.
    name : str
        Name of the experiment: lower-case letters, digits and underscores.
    conf : Path
        Folder of the settings.

    Raises
    ------
    UsageError
        When no run or several match, or the name is invalid.
    Conflict
        When an experiment of this name exists.
    ConfigError
        When conf/ cannot express the settings of the run (a key was deleted since).
    """
    new_experiment_path(name, conf)
    run = tracker.get_runs([id_or_name])[0]
    return adopt_settings(_run_settings(tracker, run), name, conf=conf, comment=_run_comment(run), run_id=run.run_id)


def adopt_settings(
    settings: Mapping[str, Any], name: str, *, conf: Path = paths.CONF, comment: str, run_id: str | None = None
) -> AdoptedExperiment:
    """Write conf/experiment/NAME.yaml such that composing it gives these settings.

    Parameters
    ----------
    settings : mapping
        A whole configuration, as plain values.
    name : str
        Name of the experiment: lower-case letters, digits and underscores.
    conf : Path
        Folder of the settings.
    comment : str
        First line of the file.
    run_id : str, optional
        The run that had the settings.

    Raises
    ------
    UsageError
        When the name is invalid.
    Conflict
        When an experiment of this name exists.
    ConfigError
        When conf/ cannot express the settings (a key was deleted since).
    """
    path = new_experiment_path(name, conf)
    target = _normalized_settings(settings)
    choices = _nearest_options(target, conf)
    differing = _changed_leaves(_composed_settings(choices, conf), target)
    text = _experiment_text(comment, choices, differing)
    files.write_text(path, text)
    try:
        remaining = _changed_leaves(_composed_settings({"experiment": name}, conf), target)
    except ConfigError:
        path.unlink()
        raise
    if remaining:
        path.unlink()
        raise ConfigError(f"{path}: conf/ cannot express these settings: {', '.join(sorted(remaining))}")
    return AdoptedExperiment(str(path), run_id, {**choices, **differing}, text)


def new_experiment_path(name: str, conf: Path) -> Path:
    """Return the path of a new experiment.

    Raises
    ------
    UsageError
        When the name is invalid.
    Conflict
        When an experiment of this name exists.
    """
    if re.fullmatch(_EXPERIMENT_NAME, name) is None:
        raise UsageError(
            f"--as {name}: a name has lower-case letters, digits and underscores, and starts with a letter"
        )
    path = conf / "experiment" / f"{name}.yaml"
    if path.exists():
        raise Conflict(f"{path}: already exists; choose another name, or remove it first")
    return path


def _run_settings(tracker: ExperimentTracker, run: RecordedRun) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / paths.PARAMS
        path.write_text(tracker.read_text(run, str(paths.PARAMS)), encoding="utf-8")
        return dict(read_yaml(path))


def _normalized_settings(values: Any) -> dict[str, Any]:
    """Return the validated settings, so that equal settings compare equal."""
    plain = build_config(values, where="the adopted settings").model_dump(mode="json")
    # The number of parallel folds depends on the machine and does not affect the result.
    del plain["training"]["n_jobs"]
    return {key: value for key, value in plain.items() if key not in _IGNORED_SECTIONS}


def _composed_settings(choices: Mapping[str, str], conf: Path) -> dict[str, Any]:
    words = [f"{group}={option}" for group, option in choices.items()]
    # The new experiment takes the place of one that conf/ chooses at present.
    return _normalized_settings(
        compose(words if "experiment" in choices else ["~experiment", *words], conf=conf).values
    )


def _changed_leaves(base: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Any]:
    """Return the leaves of `target` that differ from `base`; a leaf only in `base` is None."""
    before, after = dict(flatten_settings(dict(base))), dict(flatten_settings(dict(target)))
    changed = {key: value for key, value in after.items() if key not in before or before[key] != value}
    removed = dict.fromkeys(before.keys() - after.keys())
    return {**changed, **removed}


def _nearest_options(target: Mapping[str, Any], conf: Path) -> dict[str, str]:
    """Return the nearest option of each group whose section differs."""
    base = _composed_settings({}, conf)
    choices: dict[str, str] = {}
    for group, names in group_options(conf).items():
        if group not in target:
            continue
        fewest = _n_changed_leaves(base, target, group)
        for option in names if fewest else ():
            try:
                candidate = _composed_settings({group: option}, conf)
            except ConfigError:
                continue
            n_differing = _n_changed_leaves(candidate, target, group)
            if n_differing < fewest:
                fewest, choices[group] = n_differing, option
    return choices


def _n_changed_leaves(base: Mapping[str, Any], target: Mapping[str, Any], group: str) -> int:
    return len(_changed_leaves({group: base[group]}, {group: target[group]}))


def _run_comment(run: RecordedRun) -> str:
    objective = run.tags.get("mlops.objective", "")
    value = run.metrics.get(f"cv.{objective}")
    result = f" Its cross-validated {objective} is {value:.5g}." if value is not None else ""
    return f"Which settings of run {run.run_id[:8]} ({run.name}) differ from conf/?{result}"


def _experiment_text(comment: str, choices: Mapping[str, str], differing: Mapping[str, Any]) -> str:
    tree: dict[str, Any] = {}
    if choices:
        tree["defaults"] = [*({f"override /{group}": option} for group, option in choices.items()), "_self_"]
    for key, value in differing.items():
        *above, last = key.split(".")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    body = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True) if tree else ""
    return f"# @package _global_\n# {comment}\n{body}"
