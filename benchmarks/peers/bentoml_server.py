"""A BentoML service around a DataFrame.

bentoml serve bentoml_server:Model --port 8000
"""

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=1, traffic={"timeout": 60})
class Model:
    def __init__(self) -> None:
        self.model = joblib.load("model.joblib")

    @bentoml.api
    def predict(self, instances: list[dict[str, float | str | None]]) -> list[list[float]]:
        return self.model.predict_proba(pd.DataFrame(instances)).tolist()
