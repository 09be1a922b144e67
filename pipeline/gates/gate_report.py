"""The results of the gates, as plain values, as text and as Markdown."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.markdown_text import escape_markdown
from pipeline.text import pluralize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ComparedRows", "Gate", "GateReport", "GateVerdict"]

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
class ComparedRows:
    """The test rows that candidate and champion were compared on.

    `n_learned_by_champion` rows left the comparison, because the champion learned from rows with equal features.
    """

    n_rows: int
    n_learned_by_champion: int

    def __str__(self) -> str:
        compared = f"candidate and champion are compared on {pluralize(self.n_rows, 'test row')}"
        if self.n_learned_by_champion == 0:
            return f"{compared}; the champion learned from none of them"
        left_out = pluralize(self.n_learned_by_champion, "test row")
        return f"{compared}; {left_out} that the champion learned from left the comparison"


@dataclass(frozen=True, slots=True)
class GateReport:
    """All gates of one candidate against one champion; `champion` is its digest, None without one.

    `compared` counts the rows on which both were scored; None where they were not compared.
    """

    candidate: str
    champion: str | None
    gates: tuple[Gate, ...]
    compared: ComparedRows | None = None

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> GateReport:
        """Return the report that `as_dict` wrote."""
        compared = value["compared"]
        return cls(
            candidate=value["candidate"],
            champion=value["champion"],
            gates=tuple(Gate(**gate) for gate in value["gates"]),
            compared=None if compared is None else ComparedRows(**compared),
        )

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
        return {
            "candidate": self.candidate,
            "champion": self.champion,
            "verdict": self.verdict,
            "gates": [asdict(gate) for gate in self.gates],
            "compared": None if self.compared is None else asdict(self.compared),
        }

    def only_reproducible(self) -> GateReport:
        """Return the gates whose results depend on neither the machine nor the champion."""
        return GateReport(self.candidate, None, tuple(gate for gate in self.gates if gate.depends_on == "rows"))

    def without_champion(self) -> GateReport:
        """Return the gates whose results do not depend on the champion."""
        gates = tuple(gate for gate in self.gates if gate.depends_on != "champion")
        return GateReport(self.candidate, None, gates)

    def as_text(self) -> str:
        """Return the gates as lines of a table for a terminal."""
        rows = [(gate.name, gate.result, _format_value(gate), gate.reason) for gate in self.gates]
        widths = [max(len(row[at]) for row in rows) for at in range(3)]
        lines = [
            "  ".join((*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]))
            for row in rows
        ]
        compared = () if self.compared is None else (str(self.compared),)
        return "\n".join((*lines, *compared, f"verdict: {self.verdict}"))

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
        if self.compared is not None:
            yield f"{str(self.compared).capitalize()}."
            yield ""
        yield "| gate | result | value | reason |"
        yield "| --- | --- | --- | --- |"
        for gate in self.gates:
            cells = (gate.name, gate.result, _format_value(gate), gate.reason)
            yield f"| {' | '.join(map(escape_markdown, cells))} |"


def _format_value(gate: Gate) -> str:
    if gate.value is None:
        return ""
    unit = f" {gate.unit}" if gate.unit else ""
    if gate.threshold is None or gate.fails_when is None:
        return f"{gate.value:.4g}{unit}"
    return f"{gate.value:.4g} ({'at most' if gate.fails_when == 'above' else 'at least'} {gate.threshold:.4g}){unit}"
