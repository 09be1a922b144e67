"""One metric, one check, one splitter and one receiver of a team."""

import os
from pathlib import Path

import numpy as np

from pipeline.alerts.receivers import define_receiver
from pipeline.data.splitters import define_splitter
from pipeline.metrics import define_row_metric
from pipeline.schema import define_value_check

# What a decision costs, by true class (rows) and predicted class (columns), in the order of target.classes.
COSTS = np.array([[0.0, 1.0], [5.0, 0.0]])


@define_row_metric("decision_cost", unit="EUR", higher_is_better=False)
def decision_cost(probabilities, predicted):
    """Cost of the decision on a row, for each class that may be true."""
    return COSTS[:, predicted].T


@define_value_check("whole_hours", expected="of whole hours")
def whole_hours(value):
    """Accept hours without a fraction."""
    return float(value).is_integer()


@define_splitter("every_fifth")
def split_every_fifth(frame, schema, config, *, seed):
    """Put every fifth row, counted from the seed, into the test part."""
    return (np.arange(len(frame)) + seed) % 5 == 0


@define_receiver("notebook")
def write_to_notebook(payload, settings):
    """Append a line to a file that an environment variable names."""
    with Path(os.environ[settings["path_env"]]).open("a", encoding="utf-8") as notebook:
        notebook.write(f"{payload['severity']}: {payload['title']}\n")
