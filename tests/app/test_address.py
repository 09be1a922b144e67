"""A choice stays in the address by id: labels may change, unknown ids select the default."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

pytestmark = pytest.mark.xdist_group("app")


def app(widget: str) -> AppTest:
    return AppTest.from_string(
        "import streamlit as st\nfrom app import address\n"
        "verdict = st.session_state.setdefault('verdict', 'stable')\n"
        f"chosen = address.choose(st.{widget}, ['age', 'height'], parameter='column', key='column', default='age',"
        " label='Column', format_func=lambda name: name + ': ' + verdict)\n"
        "st.text(chosen)\n"
    )


def address_of(at: AppTest) -> str:
    value = at.query_params["column"]
    return value if isinstance(value, str) else value[-1]


@pytest.mark.parametrize("widget", ["selectbox", "segmented_control"])
@pytest.mark.parametrize(
    ("requested", "chosen"), [("height", "height"), ("age", "age"), ("height: drift", "age"), ("", "age")]
)
def test_an_address_selects_by_id(widget: str, requested: str, chosen: str) -> None:
    at = app(widget)
    at.query_params["column"] = requested
    at.run()
    assert (at.text[0].value, address_of(at)) == (chosen, chosen)
    notes = [toast.value.replace("\\", "") for toast in at.toast]
    note = f"Column {requested} of the address is not available; {chosen}: stable is shown"
    assert notes == ([] if requested in ("", chosen) else [note])


@pytest.mark.parametrize("widget", ["selectbox", "segmented_control"])
def test_a_selection_survives_a_changed_label(widget: str) -> None:
    at = app(widget).run()
    getattr(at, widget)(key="column").set_value("height").run()
    at.session_state["verdict"] = "drift"
    at.run()
    assert (at.text[0].value, address_of(at)) == ("height", "height")
    getattr(at, widget)(key="column").set_value("age").run()
    assert address_of(at) == "age"


@pytest.mark.parametrize(("requested", "chosen"), [("age,unknown", ["age"]), ("unknown", ["height"])])
def test_an_address_selects_several_ids(requested: str, chosen: list[str]) -> None:
    at = AppTest.from_string(
        "import streamlit as st\nfrom app import address\n"
        "chosen = address.choose_several(['age', 'height'], parameter='column', key='column', default=['height'],"
        " label='Columns', format_func=str.upper)\n"
        "st.text(','.join(chosen))\n"
    )
    at.query_params["column"] = requested
    at.run()
    assert (at.text[0].value, address_of(at)) == (",".join(chosen), ",".join(chosen))
