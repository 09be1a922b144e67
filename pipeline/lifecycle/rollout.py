"""Roll out a version to a stage: promote it, wait until servers use it, smoke-test them, roll back on failure."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.errors import DependencyUnavailable, GateRefused, MlopsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.registry import ModelRegistry
    from pipeline.state import Deployment, DeploymentChange

__all__ = ["Rollout", "ServingEndpoint", "roll_out_version"]

STAGE_NAMES = {"staging": "Staging", "production": "Production"}
# Probabilities may differ from the packaged ones by rounding on another machine.
_PROBABILITY_TOLERANCE = 1e-5
_POLL_INTERVAL_S = 0.2
_REQUEST_TIMEOUT_S = 10.0
# Marks the test rows in the prediction log, so that they can be filtered and erased.
_SUBJECT = "mlops-deploy"


@dataclass(frozen=True, slots=True)
class ServingEndpoint:
    """The address of the servers of a stage, and how to call it.

    Parameters
    ----------
    url : str
        Such as `http://127.0.0.1:5000`.
    key : str, optional
        A key with the role `predict`; never printed.
    success_threshold : int, at least 1
        Consecutive responses that must come from the version. Behind a load balancer, use three per replica.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    success_threshold: int = 9

    def post(self, path: str, body: bytes) -> tuple[int, Any]:
        """Send JSON; return the status and the response (None where it is no JSON).

        Raises
        ------
        DependencyUnavailable
            When the server does not respond.
        """
        headers = {"Content-Type": "application/json", "X-Subject-Id": _SUBJECT, "Connection": "close"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        if not self.url.startswith(("http://", "https://")):
            raise UsageError(f"--url {self.url!r}: expected http://... or https://...")
        request = urllib.request.Request(self.url.rstrip("/") + path, body, headers)  # noqa: S310 - checked
        try:
            opened = urllib.request.urlopen(request, timeout=_REQUEST_TIMEOUT_S)  # noqa: S310 - checked  # nosec B310
            with opened as response:
                return response.status, _parse_json(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _parse_json(error.read())
        except OSError as error:
            raise DependencyUnavailable(f"{self.url}: no response ({error})") from error


@dataclass(frozen=True, slots=True)
class Rollout:
    """The deployed version; `is_new` is true where this call promoted it."""

    model: str
    version: int
    stage: str
    generation: int
    is_new: bool
    n_tests: int
    waited_s: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def roll_out_version(
    registry: ModelRegistry,
    model: str,
    stage: str,
    *,
    endpoint: ServingEndpoint,
    version: int | None = None,
    wait_s: float = 60.0,
    reason: str = "",
) -> Rollout:
    """Promote a version to a stage and verify that its servers use it; a second call only tests again.

    Parameters
    ----------
    registry : ModelRegistry
    model : str
    stage : str
        `staging` or `production`.
    endpoint : ServingEndpoint
        Servers of that stage.
    version : int, optional
        When None: the newest version for staging, the one in Staging for production.
    wait_s : float
        Longest wait until the servers use the version.
    reason : str
        For the audit trail.

    Raises
    ------
    GateRefused
        When the version failed its gates or a smoke test.
    DependencyUnavailable
        When the servers do not use the version in time.
    UsageError
        When there is nothing to deploy.

    Notes
    -----
    A version that fails is rolled back when this call promoted it. In Staging it is always rolled back, because no
    client relies on Staging; the graph promotes candidates to Staging by itself.
    """
    if stage not in STAGE_NAMES:
        raise UsageError(f"--stage {stage!r}: expected one of {', '.join(STAGE_NAMES)}")
    current = registry.current_deployment(model)
    target = version if version is not None else _default_version(registry, current, model, stage=STAGE_NAMES[stage])
    if stage == "staging" and current.version("Production") == target:
        # A version has one stage, and Production is never emptied for a trial in Staging.
        return _unchanged_production(current, target)
    change = _promote_if_needed(registry, current, target, stage=stage, reason=reason)
    deployment = change.after if change is not None else current
    golden = _load_golden_rows(registry, model, target)
    try:
        waited_s = _wait_until_served(endpoint, golden, target, generation=deployment.generation, wait_s=wait_s)
        n_tests = _run_smoke_tests(endpoint, golden, target)
    except MlopsError as error:
        earlier = (
            _previous_deployment(registry, model, target, stage=stage) if change is None else change.before.versions
        )
        if earlier is None:
            raise
        outcome = _undo_rollout(registry, deployment, earlier, version=target, stage=STAGE_NAMES[stage])
        raise type(error)(f"{error}; {outcome}") from error
    return Rollout(
        model=model,
        version=target,
        stage=stage,
        generation=deployment.generation,
        is_new=change is not None,
        n_tests=n_tests,
        waited_s=round(waited_s, 3),
    )


def _promote_if_needed(
    registry: ModelRegistry, current: Deployment, version: int, *, stage: str, reason: str
) -> DeploymentChange | None:
    """Promote a version unless it is in the stage already; return the change, None without one."""
    if current.version(STAGE_NAMES[stage]) == version:
        return None
    return registry.promote_model(
        current.model,
        version,
        STAGE_NAMES[stage],
        reason=f"deploy to {stage}" + (f": {reason}" if reason else ""),
        expected_generation=current.generation or None,
    )


def _unchanged_production(deployment: Deployment, version: int) -> Rollout:
    return Rollout(
        model=deployment.model,
        version=version,
        stage="production",
        generation=deployment.generation,
        is_new=False,
        n_tests=0,
        waited_s=0.0,
    )


def _default_version(registry: ModelRegistry, current: Deployment, model: str, *, stage: str) -> int:
    """Return the default version of a stage: the newest for Staging, the one in Staging for Production."""
    if stage == "Staging":
        return registry.get_latest_model_version(model).version
    staged = current.version("Staging")
    version = staged if staged is not None else current.version("Production")
    if version is None:
        raise UsageError(
            f"{model}: no version is in Staging; run `mlops deploy --stage staging` first, or pass --version"
        )
    return version


def _load_golden_rows(registry: ModelRegistry, model: str, version: int) -> Mapping[str, Any]:
    """Return the golden rows of a version with their expected probabilities."""
    registry.load_model(model, version=version)  # fetches the package and verifies its checksums
    folder = registry.packages.path(registry.get_version(model, version).digest)
    golden: Mapping[str, Any] = json.loads((folder / "golden.json").read_bytes())
    return golden


def _golden_row_dicts(golden: Mapping[str, Any]) -> list[dict[str, Any]]:
    names, columns = list(golden["columns"]), list(golden["columns"].values())
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _wait_until_served(
    endpoint: ServingEndpoint, golden: Mapping[str, Any], version: int, *, generation: int, wait_s: float
) -> float:
    """Return the seconds until enough consecutive responses came from `version` at this generation or later."""
    body = json.dumps({"features": _golden_row_dicts(golden)[0]}).encode()
    started_s, n_successes, last_seen = time.monotonic(), 0, "no response"
    while n_successes < endpoint.success_threshold:
        try:
            status, response = endpoint.post("/predict", body)
            served = response if isinstance(response, dict) else {}
            number, served_generation = served.get("model_version"), served.get("generation", 0)
            last_seen = f"status {status}" if number is None else f"version {number} at generation {served_generation}"
            if status in (401, 403):
                raise UsageError(
                    f"{endpoint.url}: refuses the key ({status}); set MLOPS_API_KEY to a key with role predict"
                )
            is_expected = status == 200 and number == version and served_generation >= generation
            n_successes = n_successes + 1 if is_expected else 0
        except DependencyUnavailable as error:
            n_successes, last_seen = 0, str(error)
        if n_successes == 0:
            if time.monotonic() - started_s >= wait_s:
                raise DependencyUnavailable(
                    f"{endpoint.url}: does not use version {version} after {wait_s:g} s; last seen: {last_seen}"
                )
            time.sleep(_POLL_INTERVAL_S)
    return time.monotonic() - started_s


def _run_smoke_tests(endpoint: ServingEndpoint, golden: Mapping[str, Any], version: int) -> int:
    """Run the smoke tests against the endpoint and return their number.

    Raises
    ------
    GateRefused
        When a test fails; the message lists each.
    """
    results = [*_prediction_tests(endpoint, golden), *_protocol_tests(endpoint, golden, version)]
    failed = [f"{result.name}: {result.problem}" for result in results if result.problem is not None]
    if failed:
        raise GateRefused(f"{endpoint.url}: {len(failed)} of {len(results)} tests failed: {'; '.join(failed)}")
    return len(results)


@dataclass(frozen=True, slots=True)
class _SmokeTestResult:
    """A smoke test and its problem; None when it passes."""

    name: str
    problem: str | None


def _expect_status(name: str, status: int, expected: int) -> _SmokeTestResult:
    return _SmokeTestResult(name, None if status == expected else f"status {status} instead of {expected}")


def _prediction_tests(endpoint: ServingEndpoint, golden: Mapping[str, Any]) -> Iterator[_SmokeTestResult]:
    """Compare the predictions of the golden rows with the packaged ones."""
    rows, expected = _golden_row_dicts(golden), golden["probabilities"]
    status, response = endpoint.post("/predict/batch", json.dumps({"instances": rows}).encode())
    predictions = response.get("predictions", []) if isinstance(response, dict) else []
    is_complete = status == 200 and len(predictions) == len(rows)
    yield _SmokeTestResult("golden rows are predicted", None if is_complete else f"status {status}")
    difference = max(
        (
            abs(float(probability) - float(packaged))
            for prediction, packaged_row in zip(predictions, expected, strict=False)
            for probability, packaged in zip(prediction["probabilities"].values(), packaged_row, strict=True)
        ),
        default=float("inf"),
    )
    is_close = difference <= _PROBABILITY_TOLERANCE
    problem = None if is_close else f"a probability differs by {difference:.3g}"
    yield _SmokeTestResult("golden rows give the packaged probabilities", problem)


def _protocol_tests(endpoint: ServingEndpoint, golden: Mapping[str, Any], version: int) -> Iterator[_SmokeTestResult]:
    """Send one valid row and two invalid requests, then check the version again."""
    row = _golden_row_dicts(golden)[0]
    body = json.dumps({"features": row}).encode()
    status, _ = endpoint.post("/predict", body)
    yield _expect_status("one row is predicted", status, 200)
    status, _ = endpoint.post("/predict", json.dumps({"features": {**row, "no such feature": 1}}).encode())
    yield _expect_status("an unknown feature is refused", status, 422)
    status, _ = endpoint.post("/predict", b'{"features": {')
    yield _expect_status("broken JSON is refused", status, 400)
    _, response = endpoint.post("/predict", body)
    number = response.get("model_version") if isinstance(response, dict) else None
    problem = None if number == version else f"version {number} instead of {version}"
    yield _SmokeTestResult("the version is still the same", problem)


def _previous_deployment(registry: ModelRegistry, model: str, version: int, *, stage: str) -> Mapping[str, int] | None:
    """Return the version of each stage before the decision that staged `version`; None for production."""
    if stage != "staging":
        return None
    for entry in reversed(registry.history(model)):
        before, after = (
            {name: int(deployed["version"]) for name, deployed in side.items()} for side in (entry.before, entry.after)
        )
        if entry.generation is not None and after.get("Staging") == version != before.get("Staging"):
            return before
    return None


def _undo_rollout(
    registry: ModelRegistry, deployment: Deployment, earlier: Mapping[str, int], *, version: int, stage: str
) -> str:
    """Restore the earlier version of the stage, unless the deployment changed since; return a description."""
    before = earlier.get(stage)
    why, expected = f"deploying version {version} to {stage} failed", deployment.generation
    try:
        if before is not None and stage == "Production":
            registry.rollback_model(deployment.model, to=before, reason=why, expected_generation=expected)
        else:
            previous_stage = next((name for name, number in earlier.items() if number == version), "None")
            to, previous_stage = (before, stage) if before is not None else (version, previous_stage)
            registry.promote_model(
                deployment.model, to, previous_stage, reason=why, expected_generation=expected, force=True
            )
    except MlopsError as error:
        return f"it could NOT be rolled back ({error})"
    return f"rolled back: {stage} has {f'version {before}' if before is not None else 'no version'} again"


def _parse_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
