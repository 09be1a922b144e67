"""Request predictions as a production client does: with a key, a timeout, and idempotent retries.

python examples/prediction_client.py --url http://localhost:5000 --row '{"Time_spent_Alone": 4, "Stage_fear": "No"}'
"""

from __future__ import annotations

import argparse
import json
import os
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

# The response names the seconds to wait in Retry-After.
_RETRY_STATUSES = (429, 503)
_MAX_ATTEMPTS = 5


def post_with_retries(url: str, path: str, body: dict[str, Any], *, timeout_s: float = 5) -> dict[str, Any]:
    """Return the response. A retry sends the same Idempotency-Key, so that the server predicts once."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
    if key := os.environ.get("MLOPS_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    data = json.dumps(body).encode()
    for attempt in range(1, _MAX_ATTEMPTS + 1):
        request = urllib.request.Request(url.rstrip("/") + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if error.code not in _RETRY_STATUSES or attempt == _MAX_ATTEMPTS:
                raise SystemExit(f"{error.code} {problem['title']}: {problem['detail']}") from error
            time.sleep(float(error.headers.get("Retry-After", "1")))
        except OSError as error:
            if attempt == _MAX_ATTEMPTS:
                raise SystemExit(f"{url}: no server responds ({error}); start one with `mlops serve`") from error
            time.sleep(0.2 * 2**attempt)
    raise AssertionError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:5000")
    parser.add_argument("--row", type=json.loads, action="append", required=True, help="a row as JSON; may be repeated")
    parser.add_argument("--outcome", help="outcome to record for all of these rows")
    arguments = parser.parse_args()
    response = post_with_retries(arguments.url, "/predict/batch", {"instances": arguments.row})
    for prediction in response["predictions"]:
        warnings = "; ".join(warning["message"] for warning in prediction["warnings"])
        print(f"{prediction['prediction']}  {prediction['confidence']:.3f}  {prediction['prediction_id']}  {warnings}")
    if arguments.outcome is not None:
        ids = [prediction["prediction_id"] for prediction in response["predictions"]]
        outcomes = [{"prediction_id": prediction_id, "outcome": arguments.outcome} for prediction_id in ids]
        print(post_with_retries(arguments.url, "/feedback", {"outcomes": outcomes}))


if __name__ == "__main__":
    main()
