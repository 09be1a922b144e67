"""Encode declared columns as a float32 matrix; each method of a column stands in a file of its own."""

from pipeline.modeling.encoding import (  # noqa: F401 - each file adds its methods to the table
    category_encoding,
    date_encoding,
    number_encoding,
    text_encoding,
    word_encoding,
)
from pipeline.modeling.encoding.column_encoding import ColumnEncoding, FormOptions
from pipeline.modeling.encoding.encoder import Encoder, make_encoder

__all__ = ["ColumnEncoding", "Encoder", "FormOptions", "make_encoder"]
