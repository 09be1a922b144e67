"""Every endpoint with every credential: a role grants what it declares, no more and no less."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import state as store
from pipeline.serving.http.api_key_verifier import ApiKeyVerifier
from pipeline.serving.http.authentication import PUBLIC, ROLES, Authenticator, Principal
from pipeline.serving.http.limits import RateLimiter
from pipeline.serving.http.problems import HttpProblem
from tests.fixtures.proof import is_long
from tests.fixtures.server_process import MODEL_NAME, ROW, RunningServer, make_project, run_server
from tests.fixtures.toy_dataset import ROOT
from tests.pipeline.serving.http.oidc_issuer import OidcIssuer, run_issuer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.fixtures.cli import CliRunner

pytestmark = pytest.mark.xdist_group("serving")

# Another address and another name are other values of the same rule, and each costs a process.
OPEN_HOSTS = ("0.0.0.0", "::", "192.0.2.1", "example.org") if is_long() else ("0.0.0.0", "example.org")
AUTH_OVERRIDES = ("serving.authentication=required", "serving.limits.max_auth_failures_per_min=100000")


@pytest.fixture(scope="module")
def issuer() -> Iterator[OidcIssuer]:
    with run_issuer() as running_issuer:
        yield running_issuer


@pytest.fixture(scope="module")
def project(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("protected")
    make_project(root, [package], *AUTH_OVERRIDES)
    return root


@pytest.fixture(scope="module")
def keys(project: Path) -> dict[str, str]:
    """A key of each role, and some that open nothing."""
    state = store.open_state(project)
    keys_by_name = {role: store.create_api_key(state, role, name=role, actor="ada")[0] for role in ROLES}
    past = state.clock() - 1
    keys_by_name["expired"] = store.create_api_key(state, "admin", name="", actor="ada", expires_at=past)[0]
    revoked, record = store.create_api_key(state, "admin", name="", actor="ada")
    store.revoke_api_key(state, record.id, actor="ada")
    keys_by_name["revoked"] = revoked
    state.close()
    return keys_by_name


@pytest.fixture(scope="module")
def server(project: Path, keys: dict[str, str], issuer: OidcIssuer) -> Iterator[RunningServer]:
    with run_server(project, MLOPS_OIDC_ISSUER=issuer.address) as running_server:
        yield running_server


def credentials(keys: dict[str, str], issuer: OidcIssuer) -> dict[str, tuple[str | None, set[str]]]:
    """Return each credential with the roles that it has, by name."""
    credentials: dict[str, tuple[str | None, set[str]]] = {
        f"key of {role}": (f"Bearer {keys[role]}", set(Principal.from_roles("", (role,)).roles)) for role in ROLES
    }
    credentials |= {
        f"token of {role}": (f"Bearer {issuer.token(roles=[role])}", set(Principal.from_roles("", (role,)).roles))
        for role in ROLES
    }
    admin = keys["admin"]
    nothing: dict[str, str | None] = {
        "none": None,
        "empty": "",
        "scheme alone": "Bearer",
        "another scheme": f"Basic {admin}",
        "no scheme": admin,
        "changed key": f"Bearer {admin[:-1]}{'A' if admin[-1] != 'A' else 'B'}",
        "key cut short": f"Bearer {admin[:-1]}",
        "id alone": f"Bearer mlops_{admin.split('_')[1]}_",
        "secret of another": f"Bearer mlops_{keys['viewer'].split('_')[1]}_{admin.split('_', 2)[2]}",
        "unknown key": "Bearer mlops_000000000000_abc",
        "expired key": f"Bearer {keys['expired']}",
        "revoked key": f"Bearer {keys['revoked']}",
        "token that is over": f"Bearer {issuer.token(roles=['admin'], exp=int(time.time()) - 600)}",
        "token for another": f"Bearer {issuer.token(roles=['admin'], aud='other')}",
        "token without roles": f"Bearer {issuer.token(roles=[])}",
        "8 kB": f"Bearer mlops_{'a' * 8200}",
    }
    return credentials | {name: (sent, set()) for name, sent in nothing.items()}


def test_the_matrix_of_operations_and_credentials_has_no_mismatch(
    server: RunningServer, keys: dict[str, str], issuer: OidcIssuer
) -> None:
    mismatches, n_cells = [], 0
    with server.client() as client:
        document = client.get("/openapi.json", headers={"Authorization": f"Bearer {keys['viewer']}"}).json()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                for name, (sent, roles) in credentials(keys, issuer).items():
                    response = _send(client, method, path, operation, sent)
                    role = operation["x-required-role"]
                    n_cells += 1
                    if not _names(operation, "log"):  # an endpoint that logs nothing accepts either role
                        roles = roles | ({role} if operation.get("x-unlogged-role") in roles else set())  # noqa: PLW2901
                    expected = _expected_statuses(role, roles, is_token=name == "token without roles")
                    if "{trial}" in path and 200 in expected:
                        expected |= {404}  # no trial was opened
                    if response.status_code not in expected:
                        mismatches.append((method, path, role, name, response.status_code))
    assert mismatches == []
    assert n_cells > 500


def _names(operation: dict[str, Any], parameter: str) -> bool:
    return any(declared["name"] == parameter for declared in operation.get("parameters", ()))


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ("", {"predict", "admin"}),
        ("?log=true", {"predict", "admin"}),
        ("?log=false", {"viewer", "operator", "admin"}),
        ("?source=app", {"admin"}),
    ],
)
def test_only_a_viewer_may_ask_without_the_log_or_name_another_source(
    path: str, query: str, accepted: set[str], server: RunningServer, keys: dict[str, str]
) -> None:
    body = {"features": ROW} if path == "/predict" else {"instances": [ROW]}
    statuses = {}
    with server.client() as client:
        for role in ("predict", "feedback", "viewer", "operator", "admin"):
            headers = {"Authorization": f"Bearer {keys[role]}"}
            statuses[role] = client.post(f"{path}{query}", json=body, headers=headers).status_code
    assert statuses == {role: 200 if role in accepted else 403 for role in statuses}


def test_an_outcome_is_stored_with_the_key_that_sent_it(
    project: Path, server: RunningServer, keys: dict[str, str]
) -> None:
    with server.client(headers={"Authorization": f"Bearer {keys['admin']}"}) as client:
        prediction_id = client.post("/predict", json={"features": ROW}).json()["prediction_id"]
        outcome = {"prediction_id": prediction_id, "outcome": "Introvert", "source": "crm"}
        assert client.post("/feedback", json=outcome).status_code == 200
    with closing(store.open_state(project)) as state, state.reading() as connection:
        (stored,) = store.read_outcomes(connection, prediction_id)
    assert (stored.source, stored.caller) == ("crm", keys["admin"].split("_")[1])


def _send(
    client: httpx.Client, method: str, path: str, parameters: dict[str, Any], credential: str | None
) -> httpx.Response:
    path = path.replace("{model}", MODEL_NAME).replace("{version}", "1").replace("{trial}", "1")
    headers = {} if credential is None else {"Authorization": credential}
    body = {"json": {"features": ROW}} if "requestBody" in parameters else {}
    return client.request(method, path, headers=headers, **body)


def _expected_statuses(role: str, roles: set[str], *, is_token: bool) -> set[int]:
    """Return the expected statuses; those of an invalid body are accepted too."""
    if role == PUBLIC or role in roles:
        return {200, 422}
    return {403} if roles or is_token else {401}


def test_a_refused_credential_gets_a_challenge_without_details(server: RunningServer, keys: dict[str, str]) -> None:
    with server.client() as client:
        without = client.post("/predict", json={"features": ROW})
        expired, unknown = (
            client.post("/predict", json={"features": ROW}, headers={"Authorization": f"Bearer {key}"})
            for key in (keys["expired"], "mlops_000000000000_abc")
        )
    assert without.headers["www-authenticate"] == 'Bearer realm="mlops"'
    assert "`mlops keys create`" in without.json()["detail"]
    assert expired.headers["www-authenticate"].endswith('error="invalid_token"')
    # The caller does not learn which keys exist.
    assert {**expired.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}


@pytest.mark.usefixtures("starts_processes")
def test_a_key_is_shown_once_and_only_its_digest_is_stored(project: Path, run_cli: CliRunner) -> None:
    done = run_cli("keys", "create", "--role", "predict", "--name", "shop", "--json", cwd=project)
    key = json.loads(done.out)["key"]
    assert len(key.split("_", 2)[2]) == 43  # 32 bytes in base64
    stored = b"".join(path.read_bytes() for path in (project / "state").glob("state.db*"))
    assert key.split("_", 2)[2].encode() not in stored
    listed = run_cli("keys", "list", "--json", cwd=project).out
    assert key not in listed
    assert "digest" not in listed


def test_a_revoked_key_is_refused_within_three_seconds(
    server: RunningServer, project: Path, run_cli: CliRunner
) -> None:
    created = json.loads(run_cli("keys", "create", "--role", "predict", "--json", cwd=project).out)
    headers = {"Authorization": f"Bearer {created['key']}"}
    with server.client() as client:
        assert _reaches_status(client, headers, 200)
        assert run_cli("keys", "revoke", created["id"], "--reason", "lost", cwd=project).exit_code == 0
        assert _reaches_status(client, headers, 401)


def _reaches_status(client: httpx.Client, headers: dict[str, str], status: int) -> bool:
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        if client.post("/predict", json={"features": ROW}, headers=headers).status_code == status:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.usefixtures("starts_processes")
def test_key_changes_are_in_the_audit_log(project: Path, run_cli: CliRunner) -> None:
    key = run_cli("keys", "create", "--role", "viewer", cwd=project).out.split()[-1]
    trail = json.loads(run_cli("audit", "list", "--json", cwd=project).out)
    entries = [entry for entry in trail if entry["action"] == "create key"]
    assert entries[-1]["after"]["role"] == "viewer"
    assert key not in json.dumps(entries)
    created = entries[-1]["after"]
    assert f"create key {created['id']} ({created['name']}, viewer)" in run_cli("audit", "list", cwd=project).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("create", "--role", "root"), "expected one of predict, feedback, viewer, operator, admin"),
        (("revoke", "nobody"), "no key has the id 'nobody'"),
    ],
)
def test_a_wrong_argument_of_keys_is_a_usage_error(
    project: Path, words: tuple[str, ...], message: str, run_cli: CliRunner
) -> None:
    done = run_cli("keys", *words, cwd=project)
    assert (done.exit_code, message in done.err) == (2, True)


def authenticator(state: store.State, *, address_limit: int = 5) -> Authenticator:
    verifier = ApiKeyVerifier(state)
    verifier.reload()
    return Authenticator(
        is_required=True,
        verifiers=(verifier,),
        rate_limiter=None,
        failure_limiter=RateLimiter(per_s=address_limit / 60, burst=address_limit),
    )


def status_of(authenticator: Authenticator, credential: str, address: str = "192.0.2.7", role: str = "viewer") -> int:
    """Return the status of a request with a credential, and 200 if it is authorized."""
    headers = {b"authorization": credential.encode("latin-1")}
    try:
        asyncio.run(authenticator.authorize(headers, (role,), address))
    except HttpProblem as problem:
        return problem.status
    return 200


@pytest.fixture
def key_and_gate(tmp_path: Path) -> Iterator[tuple[str, Authenticator]]:
    state = store.open_state(tmp_path)
    key = store.create_api_key(state, "viewer", name="", actor="ada")[0]
    yield key, authenticator(state)
    state.close()


@pytest.mark.parametrize(
    "wrong",
    [
        "Bearer wrong{number}",
        "Bearer mlops_000000000000_abc",
        "Bearer {key}{number}",
        "Bearer {key}x",
        "Basic {key}",
        "",
        "Bearer a.b.{number}",
        "Bearer é{number}",
        "Bearer {padding}",
    ],
)
def test_failures_of_one_caller_shut_out_no_other(key_and_gate: tuple[str, Authenticator], wrong: str) -> None:
    key, gate = key_and_gate
    statuses = [status_of(gate, wrong.format(key=key, number=n, padding="x" * 9000)) for n in range(60)]
    assert statuses == [401] * 5 + [429] * 55
    assert [status_of(gate, f"Bearer {key}") for _ in range(20)] == [200] * 20
    assert status_of(gate, f"Bearer {key}", role="operator") == 403
    assert status_of(gate, "Bearer other", address="192.0.2.8") == 401


def test_the_secret_of_one_key_cannot_be_guessed_from_many_addresses(key_and_gate: tuple[str, Authenticator]) -> None:
    key, gate = key_and_gate
    guess = f"Bearer {key[:-3]}abc"
    statuses = [status_of(gate, guess, address=f"192.0.2.{number}") for number in range(20)]
    assert statuses == [401] * 5 + [429] * 15
    assert status_of(gate, f"Bearer {key}", address="198.51.100.1") == 200


@pytest.mark.usefixtures("starts_processes")
def test_a_good_key_is_accepted_after_any_number_of_wrong_ones(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package], "serving.authentication=required", "serving.limits.max_auth_failures_per_min=5")
    state = store.open_state(tmp_path)
    good = {"Authorization": f"Bearer {store.create_api_key(state, 'viewer', name='', actor='ada')[0]}"}
    state.close()
    with run_server(tmp_path) as server, server.client() as client:
        wrong = {"Authorization": "Bearer mlops_000000000000_abc"}
        responses = [client.get("/v1/status", headers=wrong) for _ in range(7)]
        assert [response.status_code for response in responses] == [401] * 5 + [429] * 2
        assert int(responses[-1].headers["retry-after"]) in range(1, 13)
        assert client.get("/v1/status", headers=good).status_code == 200
        assert client.get("/readyz").status_code == 200


@pytest.mark.usefixtures("starts_processes")
def test_each_credential_has_a_separate_rate_limit(package: Path, tmp_path: Path) -> None:
    make_project(tmp_path, [package], "serving.authentication=required", "serving.limits.max_requests_per_s=2.0")
    state = store.open_state(tmp_path)
    first, second = (
        {"Authorization": f"Bearer {store.create_api_key(state, 'viewer', name='', actor='ada')[0]}"} for _ in range(2)
    )
    state.close()
    with run_server(tmp_path) as server, server.client() as client:
        statuses = [client.get("/v1/status", headers=first).status_code for _ in range(6)]
        assert statuses[:4] == [200] * 4
        assert 429 in statuses
        assert client.get("/v1/status", headers=second).status_code == 200


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize("host", OPEN_HOSTS)
def test_an_open_address_without_credentials_is_refused(host: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.serving", "--host", host, "--port", "0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "start with --authentication required" in done.stderr) == (9, True)
