"""An OpenID Connect provider on loopback that logs in the next user without a form."""

from __future__ import annotations

import json
import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.pipeline.serving.http.oidc_issuer import OidcIssuer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["OidcProvider", "running_provider"]


@dataclass
class OidcProvider:
    """A provider; `next_claims` are those of the next login, and each code is valid once."""

    issuer: OidcIssuer
    next_claims: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def metadata(self) -> dict[str, Any]:
        address = self.issuer.address
        return {
            "issuer": address,
            "authorization_endpoint": f"{address}/authorize",
            "token_endpoint": f"{address}/token",
            "jwks_uri": f"{address}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Return the URL to which the browser is redirected."""
        code = secrets.token_hex(8)
        self.codes[code] = {"nonce": query.get("nonce"), "aud": query["client_id"], **self.next_claims}
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, code: str) -> dict[str, Any]:
        claims = {"iat": int(time.time()), **self.codes.pop(code)}
        signed = self.issuer.token(**claims)
        return {"access_token": signed, "id_token": signed, "token_type": "Bearer", "expires_in": 300}

    def write_secrets(self, path: Path, app: str) -> Path:
        """Write the secrets.toml with which an app at the URL `app` uses this provider."""
        settings = {
            "redirect_uri": f"{app}/oauth2callback",
            "cookie_secret": secrets.token_hex(32),
            "client_id": "mlops",
            "client_secret": "of-the-test",
            "server_metadata_url": f"{self.issuer.address}/.well-known/openid-configuration",
        }
        path.write_text("[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
        return path


@contextmanager
def running_provider() -> Iterator[OidcProvider]:
    provider = OidcProvider(OidcIssuer())
    provider.issuer.add_key("k1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(query))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._json(provider.issuer.public_keys() if parts.path == "/keys" else provider.metadata())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._json(provider.token(parse_qs(body)["code"][0]))

        def _json(self, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
