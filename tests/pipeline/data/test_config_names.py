from pathlib import Path

import pytest

from pipeline.data.config_names import check_config_name, name_after_files
from pipeline.errors import UsageError


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("inf.csv", "data_inf"),
        ("null.csv", "data_null"),
        ("Yes.csv", "data_yes"),
        ("2024.csv", "data_2024"),
        ("1e5.csv", "data_1e5"),
        ("Größe & Gewicht.xlsx", "grosse_gewicht"),
        ("客户.csv", "data"),
        ("train.csv.gz", "train"),
        ("a.b-c.parquet", "a_b_c"),
        ("_x_.csv", "x"),
    ],
)
def test_the_name_of_a_file_gives_a_name_that_settings_read_as_a_word(file: str, name: str) -> None:
    assert name_after_files([Path("folder") / file]) == check_config_name(name) == name


def test_several_files_give_their_common_beginning() -> None:
    files = [Path(f"sales-{year}.csv") for year in (2022, 2023)]
    assert (name_after_files(files), name_after_files([Path("a.csv"), Path("b.csv")])) == ("sales", "data")


@pytest.mark.parametrize("name", ["inf", "Null", "yes", "off"])
def test_a_word_that_settings_read_as_a_value_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"use --name data_{name}"):
        check_config_name(name)


@pytest.mark.parametrize("name", ["2b", "a-b", "", "ü"])
def test_a_name_of_other_characters_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="letters, digits and underscores"):
        check_config_name(name)
