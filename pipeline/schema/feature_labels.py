"""One label and one order of features on pages and in messages; outputs of the model are marked as such."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.text import shorten, visible_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.schema.declaration import Schema

__all__ = ["MODEL_OUTPUTS", "FeatureLabels"]

# What the monitor compares besides features: the probability of the positive class, and what follows from it.
MODEL_OUTPUTS: Mapping[str, str] = {
    "score": "Predicted probability (output)",
    "confidence": "Confidence (output)",
    "class": "Predicted class (output)",
}
_MAX_LENGTH = 40


@dataclass(frozen=True, slots=True)
class FeatureLabels:
    """The labels of the columns of one schema; an unknown column has its name in words."""

    by_name: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_schema(cls, schema: Schema) -> FeatureLabels:
        """Return the labels that the declaration gives."""
        return cls({column.name: column.title or _words(column.name) for column in schema.columns})

    def label(self, name: str) -> str:
        """Return the label of a column or of an output of the model, on one line.

        Examples
        --------
        >>> labels = FeatureLabels({"age": "Age"})
        >>> labels.label("age"), labels.label("confidence"), labels.label("n_visits")
        ('Age', 'Confidence (output)', 'n visits')
        """
        known = self.by_name.get(name) or MODEL_OUTPUTS.get(name) or _words(name)
        return shorten(visible_line(known), _MAX_LENGTH)

    def order(self, names: Iterable[str]) -> list[str]:
        """Return columns in the order of the schema, then unknown ones, then the outputs of the model."""
        place = {name: position for position, name in enumerate(self.by_name)}
        outputs = list(MODEL_OUTPUTS)
        return sorted(
            names,
            key=lambda name: (
                (2, outputs.index(name))
                if name in outputs and name not in place
                else (0, place[name])
                if name in place
                else (1, 0)
            ),
        )


def _words(name: str) -> str:
    return name.replace("_", " ").replace(".", ": ")
