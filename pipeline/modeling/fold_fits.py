"""Fit a classifier to all train rows and to all but each fold: in threads, or as tasks of a cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.engines import open_engine
from pipeline.errors import ConfigError
from pipeline.modeling.baselines import fit_baseline
from pipeline.modeling.classifier_fit import fit_classifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from pipeline.config.groups.engine_config import PartEngineConfig
    from pipeline.config.groups.features_config import FeaturesConfig
    from pipeline.config.groups.model_config import ModelConfig
    from pipeline.config.groups.training_config import TrainingConfig
    from pipeline.modeling.classifier import Classifier
    from pipeline.modeling.mitigation import Mitigation
    from pipeline.schema import Schema

    Floats = NDArray[np.float64]
    Fitter = Callable[[pd.DataFrame], Classifier]

__all__ = ["BaselineFitter", "FoldFits", "ModelFitter"]


@dataclass(frozen=True, slots=True)
class ModelFitter:
    """Fits the classifier of the settings to rows; a worker process gets a copy."""

    schema: Schema
    features: FeaturesConfig
    model: ModelConfig
    class_weight: str | None
    mitigation: Mitigation | None
    seed: int

    def __call__(self, rows: pd.DataFrame) -> Classifier:
        """Return a classifier that is fitted to `rows`."""
        return fit_classifier(
            rows,
            self.schema,
            self.features,
            model=self.model,
            class_weight=self.class_weight,
            mitigation=self.mitigation,
            seed=self.seed,
        )

    def with_model(self, model: ModelConfig) -> ModelFitter:
        """Return the fitter of another model."""
        return replace(self, model=model)


@dataclass(frozen=True, slots=True)
class BaselineFitter:
    """Fits a baseline to rows; a worker process gets a copy."""

    name: str
    schema: Schema
    seed: int

    def __call__(self, rows: pd.DataFrame) -> Classifier:
        """Return a classifier that is fitted to `rows`."""
        return fit_baseline(self.name, rows, self.schema, seed=self.seed)


@dataclass(frozen=True, slots=True)
class _Fit:
    """One task: a fit to all rows where `fold` is None; otherwise the scores of the fold."""

    fitter: Fitter
    fold: int | None = None
    stages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FoldFits:
    """Train rows, the fold of each, how they are fitted, and their weights; None where all rows count the same.

    With a cluster as `engine`, each fit is a task; the rows travel to the cluster once for each call. Otherwise fits
    run in `training.n_jobs` threads. The results are the same.
    """

    frame: pd.DataFrame
    fold_of: NDArray[np.intp]
    training: TrainingConfig
    weights: Floats | None
    engine: PartEngineConfig | None = None

    def fit_and_score(
        self, fitters: Mapping[str, Fitter], *, stages: Sequence[int]
    ) -> tuple[Classifier, dict[str, Floats]]:
        """Return the first fitter's classifier of all rows, and the scores of each fitter on the folds.

        The scores have the shape (n_stages, n_rows, n_classes); there is one stage where none is given, and for each
        fitter after the first.
        """
        fits = [_Fit(next(iter(fitters.values())))]
        for at, fitter in enumerate(fitters.values()):
            wanted = () if at else tuple(stages)
            fits += [_Fit(fitter, fold, wanted) for fold in range(self.training.folds)]
        classifier, *parts = self._run(fits)
        n_folds = self.training.folds
        groups = (parts[at : at + n_folds] for at in range(0, len(parts), n_folds))
        return classifier, {name: self._joined(group) for name, group in zip(fitters, groups, strict=True)}

    def _run(self, fits: Sequence[_Fit]) -> list[Any]:
        if self.engine is None or self.engine.kind == "local":
            from joblib import Parallel, delayed

            tasks = [delayed(_run_fit)(self.frame, self.fold_of, fit) for fit in fits]
            return list(Parallel(n_jobs=min(self.training.n_jobs, len(tasks)), backend="threading")(tasks))
        with open_engine(self.engine) as engine:
            results = dict(engine.map(partial(_run_fit_alone, self.frame, self.fold_of), fits, noun="fit"))
        return [results[position] for position in range(len(fits))]

    def _joined(self, parts: Sequence[Floats]) -> Floats:
        joined = np.empty((parts[0].shape[0], len(self.frame), parts[0].shape[2]))
        for fold, values in enumerate(parts):
            joined[:, self.fold_of == fold] = values
        return joined


def _run_fit_alone(frame: pd.DataFrame, fold_of: NDArray[np.intp], fit: _Fit) -> Classifier | Floats:
    """Run a fit in a worker, with one native thread as beside other fits in this process."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return _run_fit(frame, fold_of, fit)


def _run_fit(frame: pd.DataFrame, fold_of: NDArray[np.intp], fit: _Fit) -> Classifier | Floats:
    if fit.fold is None:
        return fit.fitter(frame)
    inside = fold_of == fit.fold
    fitted = fit.fitter(frame[~inside])
    try:
        if fit.stages:
            return fitted.staged_proba(frame[inside], fit.stages)
        return fitted.predict_proba(frame[inside])[None]
    except ValueError as error:
        raise ConfigError(
            f"model.estimator: fitted to {int((~inside).sum())} rows, it cannot predict the other"
            f" {int(inside.sum())} of a fold ({error}); change its arguments, or training.folds"
        ) from error
