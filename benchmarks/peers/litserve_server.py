"""A LitServe API around a DataFrame.

python litserve_server.py 8000
"""

import sys

import joblib
import litserve
import pandas as pd


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002 - its name is asked for
        self.model = joblib.load("model.joblib")

    def decode_request(self, request: dict) -> list:
        return request["instances"]

    def predict(self, rows: list) -> list:
        return self.model.predict_proba(pd.DataFrame(rows)).tolist()

    def encode_response(self, output: list) -> dict:
        return {"predictions": output}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False)
