"""A waiver of a vulnerability expires, and has a reason."""

from __future__ import annotations

from datetime import date

import pytest
import yaml

from deploy import dependency_audit

TODAY = date(2026, 5, 4)


def example_waiver(**changed: object) -> dict[str, object]:
    return {"id": "PYSEC-2026-1", "until": date(2026, 5, 4), "reason": "that part is never called"} | changed


def test_a_waiver_holds_until_its_last_day() -> None:
    assert dependency_audit.active_waivers(
        [example_waiver(), example_waiver(id="OLD", until=date(2026, 5, 3))], today=TODAY
    ) == ["PYSEC-2026-1"]


@pytest.mark.parametrize("wrong", [{"id": "X", "until": TODAY}, example_waiver(until="soon"), example_waiver(extra=1)])
def test_a_waiver_without_a_reason_or_a_last_day_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="waiver 2: expected id, reason and until"):
        dependency_audit.active_waivers([example_waiver(), wrong], today=TODAY)


def test_the_shipped_waivers_can_be_read_and_every_lock_is_there() -> None:
    assert isinstance(
        dependency_audit.active_waivers(
            yaml.safe_load(dependency_audit.WAIVERS.read_text(encoding="utf-8")), today=TODAY
        ),
        list,
    )
    assert all((dependency_audit.ROOT / lock).is_file() for lock in dependency_audit.LOCKS)
