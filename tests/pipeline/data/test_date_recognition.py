import pyarrow as pa
import pytest

from pipeline.data.date_recognition import candidate_formats, find_date_readings, form_in_words


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("2024-05-14T10:00", [None]),
        ("2024-14-05", ["%Y-%d-%m"]),
        ("14/05/2024", ["%d/%m/%Y", "%m/%d/%Y"]),
        ("24-05-14", ["%d-%m-%y", "%m-%d-%y", "%y-%m-%d"]),
        ("Tue, 14 May 2024 10:00:00 +0000", ["%a, %d %b %Y %H:%M:%S %z", "%a, %d %B %Y %H:%M:%S %z"]),
        ("Tue May 14 10:00:00 +0000 2024", ["%a %b %d %H:%M:%S %z %Y"]),
        ("14/Jun/2024:10:00:00 +0200", ["%d/%b/%Y:%H:%M:%S %z"]),
        ("Jan-90", ["%b-%y"]),
        ("2024-05", ["%Y-%m"]),
        ("hello", []),
        ("10.0.0.1", []),
    ],
)
def test_forms_that_may_have_written_a_text_are_candidates(text: str, formats: list[str | None]) -> None:
    assert list(candidate_formats(text)) == formats


def test_a_form_that_reads_more_texts_comes_first() -> None:
    texts = pa.array(["05/14/2024", "06/15/2024", "03/04/2024"])
    readings = find_date_readings(texts, minimum_share=0.3)
    assert [(reading.text_format.format, round(reading.share, 2)) for reading in readings] == [
        ("%m/%d/%Y", 1.0),
        ("%d/%m/%Y", 0.33),
    ]


def test_a_form_is_named_as_people_write_it() -> None:
    assert [form_in_words(form) for form in (None, "%d.%m.%Y", "%m/%d/%y %H:%M")] == [
        "ISO 8601",
        "D.M.Y",
        "M/D/Y h:min",
    ]
