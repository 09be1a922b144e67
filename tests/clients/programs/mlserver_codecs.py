"""Encode requests and decode responses with MLServer's codecs: ADDRESS MODEL."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pandas as pd
from mlserver.codecs import NumpyRequestCodec, PandasCodec
from mlserver.types import InferenceErrorResponse, InferenceResponse, MetadataModelResponse, MetadataServerResponse

ADDRESS, MODEL = sys.argv[1:]
FRAME = pd.DataFrame({"Time_spent_Alone": [4, 9, 2], "Stage_fear": ["No", "Yes", "No"]})


def call(path: str, body: Any = None) -> str:
    data = None if body is None else body.model_dump_json().encode()
    request = urllib.request.Request(f"{ADDRESS}{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            return response.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def infer(body: Any) -> Any:
    return InferenceResponse.model_validate_json(call(f"/v2/models/{MODEL}/infer", body))


def decoded(frame: pd.DataFrame, **options: Any) -> dict[str, Any]:
    table = PandasCodec.decode_response(infer(PandasCodec.encode_request(frame, **options)))
    return {"columns": list(table.columns), "rows": len(table), "values": table.to_dict("list")}


matrix = NumpyRequestCodec.encode_request(np.array([[4, 9], [2, 2]]))
numeric = NumpyRequestCodec.encode_request(np.array([[1.5, 1.0], [2.5, 2.0]]))
refused = InferenceErrorResponse.model_validate_json(call(f"/v2/models/{MODEL}/infer", matrix))
metadata = MetadataModelResponse.model_validate_json(call(f"/v2/models/{MODEL}"))
print(
    json.dumps(
        {
            "texts": decoded(FRAME, use_bytes=False),
            "bytes": decoded(FRAME),
            "missing": decoded(FRAME.astype({"Time_spent_Alone": float}).assign(Time_spent_Alone=[4, np.nan, 2])),
            "matrix": refused.error,
            "numeric": json.loads(numeric.model_dump_json()),
            "server": MetadataServerResponse.model_validate_json(call("/v2/")).name,
            "outputs": [output.name for output in metadata.outputs],
        },
        default=lambda value: value.decode(),
    )
)
