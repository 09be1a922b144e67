"""How often a change of importance is reported where nothing changed, and after a change of the concept.

Run it with `python benchmarks/importance_alarm.py`; the targets at 1,000 labeled rows are at most 1 % of windows
without a change, and at least 95 % of those in which 40 % of the outcomes of one class are those of the other.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.config.composition import compose  # noqa: E402 - needs the path above
from pipeline.config.config_loader import build_config  # noqa: E402 - needs the path above
from pipeline.data.sources import fetch_rows  # noqa: E402 - needs the path above
from pipeline.modeling.classifier import encode_target  # noqa: E402 - needs the path above
from pipeline.modeling.classifier_fit import fit_classifier  # noqa: E402 - needs the path above
from pipeline.modeling.row_importance import (  # noqa: E402 - needs the path above
    EncodedRows,
    ImportanceSums,
    row_importance_values,
)
from pipeline.monitoring.importance import compare_importance  # noqa: E402 - needs the path above
from pipeline.schema import Schema  # noqa: E402 - needs the path above

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.config.groups.monitoring_config import ImportanceConfig

__all__ = ["ImportancePool", "alarm_rate"]

_N_TRAIN, _N_TEST = 6_000, 3_700
_FLIPPED_SHARE = 0.4
_Columns = dict[str, "NDArray[np.float64]"]


@dataclass(frozen=True)
class ImportancePool:
    """Importance by row: of the test rows, and of the rows that windows are drawn from, by kind of importance."""

    reference: dict[str, _Columns]
    unchanged: dict[str, _Columns]
    changed: dict[str, _Columns]
    config: ImportanceConfig

    @classmethod
    def measure(cls, *overrides: str, n_train: int = _N_TRAIN, n_test: int = _N_TEST) -> ImportancePool:
        """Fit a model and measure each row once; a changed outcome changes the loss, not the contribution."""
        config = build_config(compose(overrides, conf=ROOT / "conf").values, where="conf")
        schema, options = Schema.from_config(config.data), config.monitoring.importance
        frame = fetch_rows(config.data, root=ROOT).frame.sample(frac=1.0, random_state=0).reset_index(drop=True)
        classifier = fit_classifier(frame.head(n_train), schema, config.features, model=config.model, seed=config.seed)

        def columns(rows: slice, *, is_changed: bool = False) -> dict[str, _Columns]:
            codes = encode_target(frame[rows], schema.target)
            if is_changed:
                turned = (codes == 0) & (np.random.default_rng(1).random(len(codes)) < _FLIPPED_SHARE)
                codes = np.where(turned, 1, codes)
            encoded = EncodedRows(classifier, frame[rows].reset_index(drop=True), codes)
            loss, contribution = row_importance_values(encoded, n_redraws=options.n_redraws, seed=0)
            return {"loss": loss, "contribution": contribution}

        live = slice(n_train + n_test, None)
        return cls(columns(slice(n_train, n_train + n_test)), columns(live), columns(live, is_changed=True), options)


def alarm_rate(pool: ImportancePool, n_rows: int, *, kind: str, is_changed: bool, n_windows: int) -> float:
    """Return the share of windows of `n_rows` drawn rows in which the importance of any feature changed."""
    reference = {name: ImportanceSums.from_values(values) for name, values in pool.reference[kind].items()}
    live = (pool.changed if is_changed else pool.unchanged)[kind]
    n_live, n_alarms = len(next(iter(live.values()))), 0
    for seed in range(n_windows):
        rows = np.random.default_rng(seed).choice(n_live, n_rows, replace=False)
        window = {name: ImportanceSums.from_values(values[rows]) for name, values in live.items()}
        n_alarms += any(change.is_changed for change in compare_importance(reference, window, pool.config))
    return n_alarms / n_windows


def main() -> None:
    """Print the rates by kind of importance and number of labeled rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=2_000)
    arguments = parser.parse_args()
    pool = ImportancePool.measure("model.estimator.max_iter=100")
    print(f"{'kind':12}  {'rows':>5}  {'no change':>9}  {'concept':>7}")
    for kind in ("loss", "contribution"):
        for n_rows in (200, 1_000, 2_000):
            calm, concept = (
                alarm_rate(pool, n_rows, kind=kind, is_changed=is_changed, n_windows=arguments.windows)
                for is_changed in (False, True)
            )
            print(f"{kind:12}  {n_rows:>5,}  {calm:>9.2%}  {concept:>7.1%}", flush=True)


if __name__ == "__main__":
    main()
