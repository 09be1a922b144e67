"""Create an account of the tracking server, or set its password: `python create_account.py NAME`.

The environment has MLFLOW_TRACKING_URI, MLFLOW_AUTH_ADMIN_PASSWORD and MLFLOW_ACCOUNT_PASSWORD. The account is no
administrator: it manages the experiments and models that it creates, and sees no other.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import urllib.error
import urllib.request


def _call(method: str, operation: str, name: str) -> str:
    """Return the error code of a request to the server's list of accounts; empty when it succeeded."""
    credentials = base64.b64encode(f"admin:{os.environ['MLFLOW_AUTH_ADMIN_PASSWORD']}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - the operator's own address
        f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/users/{operation}",
        data=json.dumps({"username": name, "password": os.environ["MLFLOW_ACCOUNT_PASSWORD"]}).encode(),
        headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - the same
            return ""
    except urllib.error.HTTPError as error:
        try:
            return str(json.loads(error.read())["error_code"])
        except (ValueError, KeyError, TypeError):
            return f"HTTP {error.code}"


def create_account(name: str) -> None:
    """Create the account, or set the password of an existing one; exit with a message when the server refuses."""
    problem = _call("POST", "create", name)
    if problem == "RESOURCE_ALREADY_EXISTS":
        problem = _call("PATCH", "update-password", name)
    if problem:
        sys.exit(
            f"{os.environ['MLFLOW_TRACKING_URI']}: the account {name} was not created ({problem});"
            " check MLFLOW_AUTH_ADMIN_PASSWORD"
        )
    print(f"{name}: the account exists and has the password of MLFLOW_ACCOUNT_PASSWORD")


if __name__ == "__main__":
    create_account(sys.argv[1])
