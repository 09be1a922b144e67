from __future__ import annotations

import pytest

from pipeline.data.csv_layout import detect_layout


@pytest.mark.parametrize(
    ("lines", "settings"),
    [
        (["a,b", "1,x", "2,y"], {}),
        (["a;b", "1,5;x", "2,5;y"], {"delimiter": ";"}),
        (["a, b", "1, x", "2, y"], {"padded": True}),
        (["a,b", '1,"x , y"', '2,"two', 'lines ,x"'], {}),
        (["a,b", "x, y", "New York,York"], {}),
        (["# note", "a,b", "1,2"], {"comment": "#"}),
        (["% one", "% two, three", "a,b,c", "1,2,3"], {"comment": "%"}),
        (["Title", "", "a,b", "1,2"], {"skip_lines": 2}),
        (["Title;;", ";;", "a;b;c", "1;2;3", "4;5;6"], {"delimiter": ";", "skip_lines": 2}),
        (["a,b,", "1,2,", "3,4,"], {"trailing_delimiter": True}),
        (["a,b", "1,2", "3,4,", "5,6"], {"trailing_delimiter": True}),
        ([",a,b", "0,x,y", "1,z,w"], {"index_column": "index"}),
        (["a,b", "r1,x,y", "r2,z,w"], {"index_column": "index"}),
        (["a,b", "r1,1,2", "r2,3,4"], {"index_column": "index"}),
        ([",index,b", "0,1,2", "1,3,4"], {"index_column": "row_index"}),
        (["5.1,x", "4.9,x", "4.7,y"], {"names": ["column_1", "column_2"]}),
        (["words only", "in one column", "of text"], {}),
        (["a b", "1 2", "3 4"], {"delimiter": " "}),
        ([], {}),
        ([""], {}),
    ],
)
def test_settings_are_those_that_the_lines_show(lines: list[str], settings: dict[str, object]) -> None:
    layout = detect_layout(lines)
    assert layout.settings == settings
    assert set(layout.evidence) >= set(settings)
