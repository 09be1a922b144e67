"""Call a server with the package `client`, which openapi-python-client generated: ADDRESS ROW."""

from __future__ import annotations

import json
import sys

from client import Client, models
from client.api.predictions import feedback, predict, predict_batch

address, row = sys.argv[1], json.loads(sys.argv[2])
features = models.Features.from_dict(row)
with Client(base_url=address) as caller:
    prediction = predict.sync(client=caller, body=models.PredictionRequest(features=features))
    batch = predict_batch.sync(client=caller, body=models.Batch(instances=[features, features]))
    outcome = models.Outcome.from_dict({"prediction_id": prediction.prediction_id, "outcome": "Introvert"})
    stored = feedback.sync(client=caller, body=outcome)
    wrong = models.Features.from_dict({**row, "Time_spent_Alone": 99})
    refused = predict.sync(client=caller, body=models.PredictionRequest(features=wrong))
print(
    json.dumps(
        {
            "prediction": prediction.prediction,
            "batch": [item.confidence for item in batch.predictions],
            "stored": stored.stored,
            "refused": refused.problems[0].path,
        }
    )
)
