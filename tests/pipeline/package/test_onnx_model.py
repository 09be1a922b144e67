"""An ONNX file predicts each row on its own."""

from __future__ import annotations

import numpy as np

from pipeline.package.onnx_file import convert_to_onnx
from pipeline.package.onnx_model import OnnxModel
from pipeline.package.parity import onnx_classifier
from tests.fixtures.small_packages import train_small_model, unseen_rows

N_ROWS = 600


def test_one_row_alone_gets_what_it_gets_among_others() -> None:
    _, result = train_small_model("personality", n_rows=N_ROWS)
    classifier = result.classifier
    served = onnx_classifier(
        classifier, OnnxModel(convert_to_onnx(classifier.estimator, len(classifier.encoder.feature_names_out_)), [0, 1])
    )
    rows = unseen_rows("personality", N_ROWS)
    alone = np.concatenate([served.predict_proba(rows.iloc[[at]]) for at in range(len(rows))])
    assert np.array_equal(alone, served.predict_proba(rows))
