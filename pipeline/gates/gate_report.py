"""The results of the gates, as plain values, as text and as Markdown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Gate", "GateReport", "GateVerdict"]

GateVerdict = Literal["promote", "hold", "reject"]


@dataclass(frozen=True, slots=True)
class Gate:
    """The result of one gate.

    `hold` means that the rows are too few to decide. `fails_when` is the side of `threshold` on which `value`
    fails; None without a number. `depends_on` names the input beside the package and the rows that the result
    depends on: the champion, or the machine.
    """

    name: str
    result: Literal["pass", "hold", "fail"]
    reason: str
    value: float | None = None
    threshold: float | None = None
    fails_when: Literal["above", "below"] | None = None
    unit: str = ""
    depends_on: Literal["rows", "champion", "machine"] = "rows"

    @property
    def passed(self) -> bool:
        """Whether the result is pass."""
        return self.result == "pass"


@dataclass(frozen=True, slots=True)
class GateReport:
    """All gates of one candidate against one champion; `champion` is its digest, None without one."""

    candidate: str
    champion: str | None
    gates: tuple[Gate, ...]

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> GateReport:
        """Return the report that `as_dict` wrote."""
        return cls(value["candidate"], value["champion"], tuple(Gate(**gate) for gate in value["gates"]))

    @property
    def verdict(self) -> GateVerdict:
        """`reject` when a gate fails, else `hold` when one holds, else `promote`."""
        results = {gate.result for gate in self.gates}
        return "reject" if "fail" in results else "hold" if "hold" in results else "promote"

    @property
    def unmet_gates(self) -> tuple[Gate, ...]:
        """The gates that did not pass."""
        return tuple(gate for gate in self.gates if not gate.passed)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        gates = [asdict(gate) for gate in self.gates]
        return {"candidate": self.candidate, "champion": self.champion, "verdict": self.verdict, "gates": gates}

    def only_reproducible(self) -> GateReport:
        """Return the gates whose results depend on neither the machine nor the champion."""
        return GateReport(self.candidate, None, tuple(gate for gate in self.gates if gate.depends_on == "rows"))

    def as_text(self) -> str:
        """Return the gates as lines of a table for a terminal."""
        rows = [(gate.name, gate.result, _format_value(gate), gate.reason) for gate in self.gates]
        widths = [max(len(row[at]) for row in rows) for at in range(3)]
        lines = [
            "  ".join((*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]))
            for row in rows
        ]
        return "\n".join((*lines, f"verdict: {self.verdict}"))

    def as_markdown(self) -> str:
        """Return a section for a model card."""
        return "\n".join(self._markdown_lines()) + "\n"

    def _markdown_lines(self) -> Iterator[str]:
        against = (
            f"champion `{self.champion[:12]}`"
            if self.champion is not None
            else "no champion: no version is in Production"
        )
        yield "## Gates"
        yield ""
        yield f"Verdict: **{self.verdict}** (against {against})."
        yield ""
        yield "| gate | result | value | reason |"
        yield "| --- | --- | --- | --- |"
        for gate in self.gates:
            yield f"| {gate.name} | {gate.result} | {_format_value(gate)} | {gate.reason.replace('|', '/')} |"


def _format_value(gate: Gate) -> str:
    if gate.value is None:
        return ""
    unit = f" {gate.unit}" if gate.unit else ""
    if gate.threshold is None or gate.fails_when is None:
        return f"{gate.value:.4g}{unit}"
    return f"{gate.value:.4g} ({'at most' if gate.fails_when == 'above' else 'at least'} {gate.threshold:.4g}){unit}"
