"""Columns are recognized by evidence, and what texts leave open is named with the key that changes it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pytest

from pipeline.data.cell_parsers import parse_column
from pipeline.data.kind_recognition import RecognizedColumn, recognize_column, recognize_texts, settle_words


def recognize(*texts: str | None, name: str = "column") -> RecognizedColumn:
    return recognize_texts(name, pa.array(texts, pa.string()))


@pytest.mark.parametrize(
    ("texts", "kind", "keys"),
    [
        (("1", "2", "2"), "integer", {}),
        (("1.0", None, "2.0"), "integer", {}),
        (("1", "2.5"), "float", {}),
        ((".5", "1e3"), "float", {}),
        (("007", "008"), "category", {}),
        (("9223372036854775807", "9223372036854775808"), "category", {}),
        (("True", "false"), "boolean", {}),
        (("T", "F", "T"), "boolean", {"true_values": ["T"], "false_values": ["F"]}),
        (("tRUE", "FALSE"), "boolean", {"true_values": ["tRUE"], "false_values": ["FALSE"]}),
        (("Yes", "No"), "category", {}),
        (("$12.50", "$3"), "float", {"strip": ["$"]}),
        (("12.00 EUR", "3.00 EUR"), "float", {"strip": ["EUR"]}),
        (("12.00", "3.00"), "float", {}),
        (("12 EUR", "-3 EUR"), "integer", {"strip": ["EUR"]}),
        (("5%", "6.5 %"), "float", {"strip": ["%"]}),
        (("1 year", "10 years"), "integer", {"strip": ["year", "years"]}),
        (("12 kg", "3 lb", "4 g"), "category", {}),
        (("X1", "X2"), "category", {}),
        (("1 days 02:03:04", "0 days 00:00:01"), "float", {"format": "duration"}),
        (("18:30", "09:15"), "float", {"format": "duration"}),
        (("2024-05-14", "2024-05-15 10:00:00.5"), "datetime", {}),
        (("2024-05-14T04:15:00Z", "2024-05-14T04:15:00+02:00"), "datetime", {"zone": "UTC"}),
        (("14.05.2024", "01.02.2024"), "datetime", {"format": "%d.%m.%Y"}),
        (("01.02.2024", "03.04.2024"), "datetime", {"format": "%d.%m.%Y"}),
        (("5/14/2024", "3/4/2024"), "datetime", {"format": "%m/%d/%Y"}),
        (("14/5/2024", "3/4/2024"), "datetime", {"format": "%d/%m/%Y"}),
        (("9/30/1990 0:00:00", "12/1/1990 0:00:00"), "datetime", {"format": "%m/%d/%Y %H:%M:%S"}),
        (("2012/01/01", "2012/12/31"), "datetime", {"format": "%Y/%m/%d"}),
        (("2012/01/01 05:00:00+00", "2012/12/31 05:00:00+00"), "datetime", {"format": "%Y/%m/%d %H:%M:%S%z"}),
        (("20240514", "20240515", "20240516"), "datetime", {"format": "%Y%m%d"}),
        (("May 14, 2024", "June 1, 2024"), "datetime", {"format": "%B %d, %Y"}),
        (("14-May-24", "01-Jan-25"), "datetime", {"format": "%d-%b-%y"}),
        (("14MAY2024", "01JUN2024"), "datetime", {"format": "%d%b%Y"}),
        (("05/2024", "12/2024"), "datetime", {"format": "%m/%Y"}),
        (("5/14/24 3:05 PM", "5/15/24 12:05 AM"), "datetime", {"format": "%m/%d/%y %I:%M %p"}),
        (("Tue May 14 10:00:00 2024", "Wed May 15 10:00:00 2024"), "datetime", {"format": "%a %b %d %H:%M:%S %Y"}),
        (("10.0.0.1", "10.0.0.2"), "category", {}),
        (("1.2.3", "1.2.4"), "category", {}),
        (("red", "blue"), "category", {}),
    ],
)  # fmt: skip
def test_a_column_is_recognized_and_reads_its_own_texts(
    texts: tuple[str | None, ...], kind: str, keys: dict[str, Any]
) -> None:
    recognized = recognize(*texts)
    assert (recognized.text_format.kind, recognized.keys) == (kind, keys)
    assert not parse_column(pa.array(texts, pa.string()), recognized.text_format)[1].size


@pytest.mark.parametrize(
    ("values", "foreign", "kind"),
    [
        (["29.85", "108.15"], " ", "float"),
        (["1", "2"], "unknown", "integer"),
        (["1", "2"], "?", "integer"),
        (["1.5", "2"], "inf", "float"),
        (["1.5", "2"], "n/a", "float"),
        ([str(number) for number in range(20)], "Unlimited", "integer"),
        ([f"{day}.05.2024" for day in range(10, 30)], "soon", "datetime"),
        (["true", "false"], "NA", "boolean"),
        (["$1", "$2"], "-", "integer"),
        (["0:30", "1:30"], "none", "float"),
        (["red", "blue"], "NA", "category"),
    ],
)
def test_a_few_foreign_words_are_missing_values_and_are_counted(values: list[str], foreign: str, kind: str) -> None:
    recognized = recognize(*values * 20, foreign, foreign)
    assert (recognized.text_format.kind, recognized.text_format.null_values) == (kind, (foreign,))
    assert recognized.n_missing_words == 2
    assert f"{foreign!r} in 2 rows read as missing" in recognized.evidence


@pytest.mark.parametrize(
    ("texts", "kind", "evidence", "assumption"),
    [
        (["03/04/2024", "05/06/2024", "01/02/2024"], "text", "whose order of day and month no cell decides",
         'format: "%d/%m/%Y" reads it as 3 April 2024'),
        (["14.05.2024"] * 30 + ["2 May"] * 3, "text",
         "look like dates in the form D.M.Y; 3 of 33 cells differ: '2 May'", "correct these cells"),
        (["1,100", "2,101"], "text", "numbers with a sign that data.source does not declare",
         "data.source.thousands: \",\" reads '1,100' as 1100 or data.source.decimal: \",\" reads '1,100' as 1.100"),
        (["1,5", "2,25"], "text", "numbers with a sign", "data.source.decimal: \",\" reads '1,5' as 1.5"),
        (["9", "10", "11", "other"] * 5, "category", "look like numbers; 5 of 20 cells differ: 'other'", "null_values"),
        (["1"] * 7 + ["2a", "b3", "c4"], "category", "look like numbers; 3 of 10 cells differ: '2a', 'b3', 'c4'",
         "list these cells in null_values"),
        (["007", "012"], "category", "digits with leading zeros, such as '007'", "as a number 007 would be 7"),
        (["9223372036854775808", "1"], "category", "whole numbers beyond 64 bits, such as 9223372036854775808",
         "rounds them to 16 digits"),
        (["AA", "BB", "CC", "DD", "EE", "FF", "GG", "HH", "II", "JJ", "NA"], "category", "words such as",
         "null_values: [NA] reads it as missing"),
    ],
)  # fmt: skip
def test_what_is_left_open_is_named_with_its_key(texts: list[str], kind: str, evidence: str, assumption: str) -> None:
    recognized = recognize(*texts)
    assert recognized.text_format.kind == kind
    assert evidence in recognized.evidence
    assert assumption in " ".join(recognized.assumptions)


@pytest.mark.parametrize(
    ("texts", "form", "reason"),
    [
        (["01/01/2024", "01/02/2024", "01/12/2024"], "%d/%m/%Y", "each is the first day of a month"),
        (["01/02/2024", "01/03/2024", "02/01/2024"], "%m/%d/%Y", "in order of time"),
        (["03/04/2024", "04/04/2024", "02/05/2024"], "%d/%m/%Y", "in order of time"),
    ],
)
def test_the_order_of_day_and_month_follows_from_all_rows(texts: list[str], form: str, reason: str) -> None:
    recognized = recognize(*texts)
    assert recognized.keys == {"format": form}
    assert reason in recognized.evidence


@pytest.mark.parametrize(
    ("name", "text", "keys"),
    [
        ("created_at", "1715702709", {"format": "epoch_s"}),
        ("eventTime", "1715702709000", {"format": "epoch_ms"}),
        ("timestamp", "1715702709000000", {"format": "epoch_us"}),
        ("amount", "1715702709", {}),
        ("created_at", "17", {}),
    ],
)
def test_numbers_are_times_only_in_columns_of_such_a_name(name: str, text: str, keys: dict[str, Any]) -> None:
    recognized = recognize(text, text, name=name)
    assert recognized.keys == keys
    assert ("epoch" in f"{recognized.evidence} {recognized.assumptions}") is (text != "17")


@pytest.mark.parametrize(
    ("values", "kind", "keys"),
    [
        (pa.array([1.0, 2.0, None]), "integer", {}),
        (pa.array([1.5, float("inf")]), "float", {}),
        (pa.array([2**63], pa.uint64()), "category", {}),
        (pa.array([1, 2], pa.uint64()), "integer", {}),
        (pa.array([True, None]), "boolean", {}),
        (pa.array([datetime(2024, 5, 14)]), "datetime", {}),  # noqa: DTZ001 - stored moments have no zone
        (pa.array([0], pa.timestamp("us", "Europe/Berlin")), "datetime", {"zone": "Europe/Berlin"}),
        (pa.array([0], pa.timestamp("us", "+02:00")), "datetime", {"zone": "UTC"}),
        (pa.array([timedelta(hours=1)]), "float", {"format": "duration"}),
        (pa.array([time(1)]), "float", {"format": "duration"}),
        (pa.array(["1.5", " ", "2.5"] * 20), "float", {}),
        (pa.array(["1", "2"]), "category", {}),
        (pa.array(["a", "b"]).dictionary_encode(), "category", {}),
        (pa.array([[1]]), "text", {}),
    ],
)
def test_a_typed_column_keeps_its_type_where_no_value_is_lost(
    values: pa.Array, kind: str, keys: dict[str, Any]
) -> None:
    recognized = recognize_column("column", values)
    assert (recognized.text_format.kind, recognized.keys) == (kind, keys)


def test_a_column_of_missing_words_has_no_values() -> None:
    recognized = recognize("NA", None, "?")
    assert (recognized.evidence, recognized.text_format.null_values) == ("no values", ("?", "NA"))


def test_a_word_among_codes_is_missing_where_numbers_have_it_as_missing() -> None:
    codes = recognize("AA", "BB", "CC", "DD", "EE", "FF", "GG", "HH", "II", "JJ", "NA")
    assert (codes.retained_words, codes.text_format.null_values) == (("NA",), ())
    settled = settle_words({"state": codes, "size": recognize("1", "NA")})["state"]
    assert (settled.retained_words, settled.text_format.null_values) == ((), ("NA",))
    assert settle_words({"state": codes, "size": recognize("1", "2")})["state"] == codes


@pytest.mark.parametrize(
    ("texts", "evidence", "advice"),
    [
        (
            ("{}.5 €", "k.A."),
            "look like numbers with '€', such as '0.5 €'; 8 of 38 cells differ: 'k.A.'",
            'strip: ["€"]',
        ),
        (("{} kg", "3 stone"), "look like numbers with 'kg', such as '0 kg'; 8 of 38 cells differ: '3 stone'", "strip"),
        (("1:{:02}", "late"), "look like durations or times such as '1:00', in seconds; 8 of 38", "format: duration"),
    ],
)
def test_values_among_too_many_words_are_named(texts: tuple[str, str], evidence: str, advice: str) -> None:
    form, word = texts
    recognized = recognize(*(form.format(number) for number in range(30)), *[word] * 8)
    assert (recognized.text_format.kind, recognized.is_unrecognized) == ("text", True)
    assert evidence in recognized.evidence
    assert advice in recognized.assumptions[0]
