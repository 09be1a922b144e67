import pytest

from pipeline.errors import UnknownOption
from pipeline.lookup import LookupTable


def test_an_unknown_option_lists_the_known_ones_and_the_nearest() -> None:
    table: LookupTable[int] = LookupTable("data.split.kind")
    table.add("stratified")(1)
    table.add("random")(2)
    with pytest.raises(UnknownOption, match=r"data\.split\.kind: 'stratfied'.*stratified, random.*did you mean 'strat"):
        table["stratfied"]


def test_an_option_is_registered_once() -> None:
    table: LookupTable[int] = LookupTable("key")
    table.add("a")(1)
    with pytest.raises(ValueError, match="'a' is registered already"):
        table.add("a")(2)
