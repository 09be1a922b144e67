"""Search the settings of a model by a race of configurations over folds."""

from pipeline.selection.model_selection import (
    ConfigurationResult,
    Selection,
    next_experiment_name,
    select_model,
    use_experiment,
)

__all__ = ["ConfigurationResult", "Selection", "next_experiment_name", "select_model", "use_experiment"]
