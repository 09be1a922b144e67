"""An OpenID Connect issuer on loopback that publishes its keys and signs any claims."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["OidcIssuer", "run_issuer"]


@dataclass
class OidcIssuer:
    address: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    n_requests: int = 0
    # Writes another response to the request with a path, and returns whether it did.
    respond: Callable[[BaseHTTPRequestHandler], bool] = field(default=lambda _: False)

    def add_key(self, kid: str, kind: str = "RS256") -> None:
        is_rsa = kind.startswith("RS")
        self.keys[kid] = rsa.generate_private_key(65537, 2048) if is_rsa else ec.generate_private_key(ec.SECP256R1())

    def public_keys(self) -> dict[str, Any]:
        public_keys = []
        for kid, key in self.keys.items():
            algorithm: Any = (
                jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
            )
            public_keys.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"})
        return {"keys": public_keys}

    def claims(self, **other: Any) -> dict[str, Any]:
        now = int(time.time())
        defaults = {"iss": self.address, "aud": "mlops", "sub": "ada", "exp": now + 300, "roles": ["predict"]}
        return {name: value for name, value in {**defaults, **other}.items() if value is not None}

    def token(self, kid: str = "k1", algorithm: str = "RS256", **claims: Any) -> str:
        return jwt.encode(self.claims(**claims), self.keys[kid], algorithm=algorithm, headers={"kid": kid})


@contextmanager
def run_issuer() -> Iterator[OidcIssuer]:
    issuer = OidcIssuer()
    issuer.add_key("k1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.n_requests += 1
            if issuer.respond(self):
                return
            is_keys = self.path == "/keys"
            body = json.dumps(issuer.public_keys() if is_keys else {"jwks_uri": f"{issuer.address}/keys"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
