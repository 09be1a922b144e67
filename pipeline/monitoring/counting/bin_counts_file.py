"""Write counts by bin as JSON, and read them as the reference of other rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import DataError, UsageError
from pipeline.files import canonical_json
from pipeline.monitoring.log import BinCounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.package import Package
    from pipeline.storage import StoragePath

__all__ = ["COUNTS_NAME", "counts_from_dict", "counts_to_dict", "read_counts", "write_counts"]

COUNTS_NAME = "counts.json"
_FORMAT = 1


def counts_to_dict(counts: BinCounts) -> dict[str, Any]:
    """Return counts as JSON values."""
    return {
        "n_rows": counts.n_rows,
        "features": {name: vector.tolist() for name, vector in counts.features.items()},
        "outputs": {name: vector.tolist() for name, vector in counts.outputs.items()},
        "problems": dict(counts.problems),
    }


def counts_from_dict(values: Mapping[str, Any]) -> BinCounts:
    """Return the counts that `counts_to_dict` wrote."""
    features, outputs = (
        {name: np.array(vector, dtype=np.int64) for name, vector in values[key].items()}
        for key in ("features", "outputs")
    )
    return BinCounts(values["n_rows"], features, outputs, values["problems"])


def write_counts(counts: BinCounts, path: StoragePath, *, package_digest: str) -> None:
    """Write the counts of rows in the bins of a package; equal counts give equal bytes."""
    path.write_bytes(canonical_json({"format": _FORMAT, "package": package_digest, **counts_to_dict(counts)}).encode())


def read_counts(path: StoragePath, package: Package) -> BinCounts:
    """Return the counts of a file, or of the output folder of `mlops monitor count`.

    Raises
    ------
    DataError
        When there is no such file, or it has another form.
    UsageError
        When the counts are in the bins of another package.
    """
    file = path / COUNTS_NAME if path.is_folder() else path
    try:
        values = json.loads(file.read_bytes())
        digest, counts = values["package"], counts_from_dict(values)
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file; write it with `mlops monitor count IN -o OUT`") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file}: has no counts ({error}); expected what `mlops monitor count IN -o OUT` writes"
        ) from error
    if digest != package.digest:
        raise UsageError(
            f"{file}: has counts in the bins of package {digest[:12]}, expected {package.digest[:12]};"
            " count the rows again with this version"
        )
    return counts
