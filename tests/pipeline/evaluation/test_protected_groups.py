"""Groups of protected columns are those of the reference; other columns get their own, and missing is a group."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.evaluation.protected_groups import group_protected_columns

if TYPE_CHECKING:
    from tests.pipeline.evaluation.conftest import PackagedProblem


def test_features_have_the_groups_of_the_reference_and_missing_is_one(binary: PackagedProblem) -> None:
    names = ("count", "colour", "row", "note")
    columns = tuple(replace(column, protected=column.name in names) for column in binary.package.schema.columns)
    package = replace(binary.package, schema=replace(binary.package.schema, columns=columns))
    groups = group_protected_columns(package, binary.train, binary.test, pairs=[("colour", "count")], n_bins=4)
    by_name = {grouping.columns: grouping for grouping in groups.groupings}
    colour = by_name["colour",]
    assert colour.labels == package.reference.column("colour").labels
    assert np.array_equal(colour.codes == colour.labels.index("missing"), binary.test["colour"].isna())
    assert list(by_name) == [("count",), ("colour",), ("row",), ("colour", "count")]
    assert len(by_name["row",].labels) == 4 + 3
    assert groups.skipped == {"note": "a free text has no groups"}
