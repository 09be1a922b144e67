"""Settings that name another column than a protected one are refused with the line that corrects them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.errors import ConfigError
from pipeline.fairness import check_fairness, protected_columns
from tests.fixtures.toy_dataset import schema, settings

if TYPE_CHECKING:
    from pipeline.schema import Schema

PROTECTED = ("colour", "size", "row")


def declared(n_classes: int = 2) -> Schema:
    plain = schema(n_classes)
    columns = tuple(replace(column, protected=column.name in PROTECTED) for column in plain.columns)
    return replace(plain, columns=columns)


def mitigation(kind: str, column: str) -> tuple[str, ...]:
    metric = "true_positive_rate" if kind == "thresholds" else "null"
    return tuple(
        f"fairness.mitigation.{key}={value}"
        for key, value in {"kind": kind, "column": column, "metric": metric, "reason": "lawful"}.items()
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("fairness.pairs=[[colour,sise]]",), r"no column is called 'sise'; did you mean 'size'"),
        (
            ("fairness.pairs=[[colour,count]]",),
            r"count is not protected; write `protected: true` in data.columns.count",
        ),
        (("fairness.pairs=[[colour,colour]]",), r"names colour twice"),
        (mitigation("reweigh", "size"), r"size is a column of kind float; expected a category"),
        (mitigation("reweigh", "note"), r"note is not protected"),
    ],
)
def test_a_wrong_column_is_refused(overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_fairness(settings(*overrides).fairness, declared())


def test_thresholds_need_a_feature_and_two_classes() -> None:
    config = settings(*mitigation("thresholds", "colour")).fairness
    columns = tuple(
        replace(column, role="ignore") if column.name == "colour" else column for column in declared().columns
    )
    with pytest.raises(ConfigError, match=r"colour has the role ignore"):
        check_fairness(config, replace(declared(), columns=columns))
    with pytest.raises(ConfigError, match=r"thresholds needs two classes and answer has 3"):
        check_fairness(config, declared(3))


def test_sound_settings_pass_and_protected_columns_keep_their_order() -> None:
    check_fairness(settings("fairness.pairs=[[colour,size]]", *mitigation("thresholds", "colour")).fairness, declared())
    assert [column.name for column in protected_columns(declared())] == ["size", "colour", "row"]
