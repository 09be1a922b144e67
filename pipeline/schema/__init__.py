"""The declaration of columns, from which the reader, checks, encoder, API and pages are derived."""

from pipeline.schema.column_kinds import DTYPES, ColumnKind
from pipeline.schema.declaration import Column, Schema, Target
from pipeline.schema.feature_labels import MODEL_OUTPUTS, FeatureLabels
from pipeline.schema.text_format import TextFormat
from pipeline.schema.value_check import define_value_check

__all__ = [
    "DTYPES",
    "MODEL_OUTPUTS",
    "Column",
    "ColumnKind",
    "FeatureLabels",
    "Schema",
    "Target",
    "TextFormat",
    "define_value_check",
]
