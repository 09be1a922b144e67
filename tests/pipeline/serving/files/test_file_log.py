"""Identifiers of scored rows depend on the file, the package and the row only."""

from __future__ import annotations

from uuid import UUID

from pipeline.serving.files.file_log import derive_prediction_ids

SOURCE, PACKAGE = "a" * 64, "b" * 64


def test_batches_get_the_identifiers_of_the_whole_file() -> None:
    whole = derive_prediction_ids(SOURCE, PACKAGE, model="m", first_row=1, n_rows=10)
    batches = [derive_prediction_ids(SOURCE, PACKAGE, model="m", first_row=first_row, n_rows=5) for first_row in (1, 6)]
    assert [*batches[0], *batches[1]] == whole
    assert sorted(set(whole)) == whole


def test_another_file_package_or_model_gets_other_identifiers() -> None:
    first = derive_prediction_ids(SOURCE, PACKAGE, model="m", first_row=1, n_rows=3)
    assert not set(first) & set(derive_prediction_ids(PACKAGE, SOURCE, model="m", first_row=1, n_rows=3))
    assert not set(first) & set(derive_prediction_ids(SOURCE, "c" * 64, model="m", first_row=1, n_rows=3))
    assert not set(first) & set(derive_prediction_ids(SOURCE, PACKAGE, model="other", first_row=1, n_rows=3))


def test_an_identifier_is_a_uuid_of_version_8() -> None:
    assert UUID(derive_prediction_ids(SOURCE, PACKAGE, model="m", first_row=1, n_rows=1)[0]).version == 8
