"""The server that most people write: a Pydantic body, a DataFrame, `predict_proba`.

uvicorn fastapi_server:app --port 8000
"""

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load("model.joblib")


class Row(BaseModel):
    features: dict[str, float | str | None]


class Batch(BaseModel):
    instances: list[dict[str, float | str | None]]


def answers(rows: list) -> list:
    classes = list(model.classes_)
    return [dict(zip(classes, map(float, shares), strict=True)) for shares in model.predict_proba(pd.DataFrame(rows))]


@app.post("/predict")
def predict(row: Row) -> dict:
    return {"probabilities": answers([row.features])[0]}


@app.post("/predict/batch")
def predict_batch(batch: Batch) -> dict:
    return {"predictions": answers(batch.instances)}
