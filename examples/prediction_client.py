"""Ask a server for predictions as a program in production does: with a key, a deadline, and safe retries.

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

# What says "not now": the answer names the seconds in Retry-After.
_RETRY_STATUSES = (429, 503)
_MAX_ATTEMPTS = 5


def post_with_retries(url: str, path: str, body: dict[str, Any], *, timeout_s: float = 5) -> dict[str, Any]:
    """Return the answer. A retry sends the same Idempotency-Key, so that a lost answer is not predicted twice."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
    if key := os.environ.get("MLOPS_API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    data = json.dumps(body).encode()
    for attempt in range(1, _MAX_ATTEMPTS + 1):
        request = urllib.request.Request(url.rstrip("/") + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if error.code not in _RETRY_STATUSES or attempt == _MAX_ATTEMPTS:
                raise SystemExit(f"{error.code} {problem['title']}: {problem['detail']}") from error
            time.sleep(float(error.headers.get("Retry-After", "1")))
        except OSError as error:
            if attempt == _MAX_ATTEMPTS:
                raise SystemExit(f"{url}: {error}") from error
            time.sleep(0.2 * 2**attempt)
    raise AssertionError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:5000")
    parser.add_argument("--row", type=json.loads, action="append", required=True, help="a row as JSON; may be repeated")
    parser.add_argument("--outcome", help="tell what was true in the end, for all of these rows")
    words = parser.parse_args()
    answer = post_with_retries(words.url, "/predict/batch", {"instances": words.row})
    for one in answer["predictions"]:
        warnings = "; ".join(notice["message"] for notice in one["warnings"])
        print(f"{one['prediction']}  {one['confidence']:.3f}  {one['prediction_id']}  {warnings}")
    if words.outcome is not None:
        ids = [one["prediction_id"] for one in answer["predictions"]]
        outcomes = [{"prediction_id": one, "outcome": words.outcome} for one in ids]
        print(post_with_retries(words.url, "/feedback", {"outcomes": outcomes}))


if __name__ == "__main__":
    main()
