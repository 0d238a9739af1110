"""Cognito's hosted pages on a port of this machine, for tests: strict where AWS is, stricter where it can be.

A user pool of the suite's AWS stands behind it: who is in that pool, with which password, can log in here. What is
asked of AWS's own API at this address is handed on to there, so that one address serves as the whole of Cognito.

| path | what it does |
|---|---|
| `GET /oauth2/authorize` | checks everything, then leads to the log-in; straight back for who is logged in here |
| `GET, POST /login` | the form; a good password leads back with a code |
| `POST /oauth2/token` | exchanges a code, once |
| `GET /logout` | ends the log-in here |
| `GET /{pool}/.well-known/jwks.json` | its keys and the pool's |

https://docs.aws.amazon.com/cognito/ (User pool endpoints and managed login reference)
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from invokeai_saas.embedded.ports import LOOPBACK, free_port
from tests.aws import REGION, Aws

SCOPES = {"openid", "email"}
ASKED = {
    "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge",
    "code_challenge_method", "lang",
}  # fmt: skip
CODE_SECONDS = 300.0
_FORM = """<!DOCTYPE html><html lang="en"><title>The pool</title><p>{says}</p><form method="post">
<input name="username"><input name="password" type="password"><button>Sign in</button>
<button name="cancel" value="yes">Cancel</button></form></html>"""


@dataclass
class Answer:
    """What is sent back."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, body: dict[str, Any]) -> Answer:
        return cls(status, json.dumps(body).encode(), {"content-type": "application/json"})

    @classmethod
    def form(cls, says: str) -> Answer:
        return cls(200, _FORM.format(says=says).encode(), {"content-type": "text/html"})

    @classmethod
    def to(cls, address: str, **query: str) -> Answer:
        return cls(302, headers={"location": f"{address}?{urlencode(query)}" if query else address})


@dataclass(frozen=True)
class Grant:
    """What a code is good for."""

    sub: str
    redirect_uri: str
    challenge: str
    nonce: str
    scope: str
    expires: float


@dataclass
class HostedPool:
    """The pages of one pool.

    Parameters:
        callbacks, logouts: addresses that the client has registered.
        claims: changes to the tokens that are signed next, by `token_use`: what an attacker would wish for.
        status: of the token endpoint, where it is out of order.
    """

    aws: Aws
    pool: str
    client: str
    callbacks: set[str]
    logouts: set[str]
    port: int = field(default_factory=free_port)
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    status: int = 0
    codes: dict[str, Grant] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    verifiers: list[str] = field(default_factory=list)
    _keys: list[tuple[str, rsa.RSAPrivateKey]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rotate()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def issuer(self) -> str:
        return f"https://cognito-idp.{REGION}.amazonaws.com/{self.pool}"

    def rotate(self) -> None:
        """Signs with a new key from now on; the old one is published no more."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._keys = [(secrets.token_hex(8), key)]

    def settings(self) -> dict[str, str]:
        """What a process needs to know."""
        return {
            "aws_endpoint_url": self.url,
            "cognito_user_pool_id": self.pool,
            "cognito_client_id": self.client,
            "cognito_hosted_url": self.url,
        }

    # The endpoints

    def authorize(self, query: dict[str, str], cookie: str) -> Answer:
        refused = self._wrong_place(query) or self._wrong_request(query)
        if refused:
            return refused
        if cookie in self.sessions:
            return self._back(query, self.sessions[cookie])
        return Answer.to("/login", **query)

    def _wrong_place(self, query: dict[str, str]) -> Answer | None:
        """A client or an address that is not known is told here: nothing is sent to a stranger's address."""
        if query.get("client_id") != self.client:
            return Answer(400, b"Client does not exist.")
        if query.get("redirect_uri") not in self.callbacks:
            return Answer(400, b"redirect_mismatch")
        return None

    def _wrong_request(self, query: dict[str, str]) -> Answer | None:
        problem = None
        if query.get("response_type") != "code":
            problem = "unsupported_response_type"
        elif not set(query.get("scope", "").split()) <= SCOPES or "openid" not in query.get("scope", ""):
            problem = "invalid_scope"
        elif (
            query.get("code_challenge_method") != "S256"
            or len(query.get("code_challenge", "")) != 43
            or not (query.get("nonce") and query.get("state"))
            or set(query) - ASKED
        ):
            problem = "invalid_request"
        return (
            Answer.to(query["redirect_uri"], error=problem, state=query.get("state", "")) if problem else None
        )

    def log_in(self, query: dict[str, str], form: dict[str, str]) -> Answer:
        refused = self._wrong_place(query) or self._wrong_request(query)
        if refused:
            return refused
        if "cancel" in form:
            return Answer.to(query["redirect_uri"], error="access_denied", state=query["state"])
        sub = self._sub(form.get("username", ""), form.get("password", ""))
        if sub is None:
            return Answer.form("Incorrect username or password.")
        answer, cookie = self._back(query, sub), secrets.token_urlsafe()
        self.sessions[cookie] = sub
        answer.headers["set-cookie"] = f"cognito={cookie}; Path=/; HttpOnly; SameSite=Lax"
        return answer

    def _sub(self, email: str, password: str) -> str | None:
        """Whose password it is, as the pool says."""
        cognito = self.aws.client("cognito-idp")
        try:
            answer = cognito.initiate_auth(
                ClientId=self.client,
                AuthFlow="USER_PASSWORD_AUTH",
                AuthParameters={"USERNAME": email, "PASSWORD": password},
            )
        except cognito.exceptions.ClientError:
            return None
        token = answer["AuthenticationResult"]["AccessToken"]
        return str(jwt.decode(token, options={"verify_signature": False})["sub"])

    def _back(self, query: dict[str, str], sub: str) -> Answer:
        code = secrets.token_urlsafe(24)
        self.codes[code] = Grant(
            sub, query["redirect_uri"], query["code_challenge"], query["nonce"], query["scope"],
            time.monotonic() + CODE_SECONDS,
        )  # fmt: skip
        return Answer.to(query["redirect_uri"], code=code, state=query["state"])

    def token(self, form: dict[str, str], headers: Any) -> Answer:
        if self.status:
            return Answer.json(self.status, {"error": "server_error"})
        if headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            return Answer.json(400, {"error": "invalid_request"})
        if form.get("client_id") != self.client or headers.get("authorization"):  # it has no secret
            return Answer.json(400, {"error": "invalid_client"})
        if form.get("grant_type") != "authorization_code":
            return Answer.json(400, {"error": "unsupported_grant_type"})
        grant = self.codes.pop(form.get("code", ""), None)  # also where what follows does not fit
        if (
            grant is None
            or grant.expires < time.monotonic()
            or grant.redirect_uri != form.get("redirect_uri")
        ):
            return Answer.json(400, {"error": "invalid_grant"})
        verifier = form.get("code_verifier", "")
        if not 43 <= len(verifier) <= 128 or not hmac.compare_digest(challenge(verifier), grant.challenge):
            return Answer.json(400, {"error": "invalid_grant"})
        self.verifiers.append(verifier)
        return Answer.json(200, {**self.tokens(grant), "expires_in": 3600, "token_type": "Bearer"})

    def tokens(self, grant: Grant) -> dict[str, str]:
        """Signed for whom a grant is of. The id token tells what the pool knows now."""
        known = self.aws.client("cognito-idp").admin_get_user(UserPoolId=self.pool, Username=grant.sub)
        told = {entry["Name"]: entry["Value"] for entry in known["UserAttributes"]}
        now = int(time.time())
        shared = {
            "sub": grant.sub, "iss": self.issuer, "origin_jti": secrets.token_hex(8), "jti": secrets.token_hex(8),
            "auth_time": now, "iat": now, "exp": now + 3600,
        }  # fmt: skip
        access = {
            "client_id": self.client,
            "token_use": "access",
            "scope": grant.scope,
            "username": grant.sub,
        }
        identity = {
            "aud": self.client, "token_use": "id", "nonce": grant.nonce, "email": told["email"],
            "email_verified": told.get("email_verified") == "true", "cognito:username": grant.sub,
        }  # fmt: skip
        return {
            "access_token": self._signed({**shared, **access, **self.claims.get("access", {})}),
            "id_token": self._signed({**shared, **identity, **self.claims.get("id", {})}),
            "refresh_token": secrets.token_urlsafe(),
        }

    def _signed(self, claims: dict[str, Any]) -> str:
        key_id, key = self._keys[-1]
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": key_id})

    def log_out(self, query: dict[str, str], cookie: str) -> Answer:
        if query.get("client_id") != self.client or query.get("logout_uri") not in self.logouts:
            return Answer(400, b"Required parameters missing or not registered.")
        self.sessions.pop(cookie, None)
        answer = Answer.to(query["logout_uri"])
        answer.headers["set-cookie"] = "cognito=; Path=/; Max-Age=0"
        return answer

    def jwks(self) -> Answer:
        own = [
            {
                **jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
                "kid": key_id,
                "use": "sig",
            }
            for key_id, key in self._keys
        ]
        theirs = httpx.get(f"{self.aws.url}/{self.pool}/.well-known/jwks.json", timeout=120).json()["keys"]
        return Answer.json(200, {"keys": [*own, *theirs]})


def challenge(verifier: str) -> str:
    """S256 of RFC 7636."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _once(text: str) -> dict[str, str] | None:
    """Parameters of a query or a form; None where one comes twice."""
    found = parse_qs(text, keep_blank_values=True)
    return None if any(len(values) > 1 for values in found.values()) else {k: v[0] for k, v in found.items()}


class _Handler(BaseHTTPRequestHandler):
    pool: HostedPool

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        query = _once(place.query)
        if query is None:
            self._send(Answer(400, b"a parameter comes twice"))
        elif place.path == "/oauth2/authorize":
            self._send(self.pool.authorize(query, self._cookie()))
        elif place.path == "/login":
            self._send(Answer.form(""))
        elif place.path == "/logout":
            self._send(self.pool.log_out(query, self._cookie()))
        elif place.path == f"/{self.pool.pool}/.well-known/jwks.json":
            self._send(self.pool.jwks())
        else:
            self._send(Answer(404))

    def do_POST(self) -> None:
        place = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if place.path == "/":
            self._hand_on(body)
            return
        form, query = _once(body.decode()), _once(place.query)
        if form is None or query is None:
            self._send(Answer(400, b"a parameter comes twice"))
        elif place.path == "/oauth2/token" and not query:
            self._send(self.pool.token(form, self.headers))
        elif place.path == "/login":
            self._send(self.pool.log_in(query, form))
        else:
            self._send(Answer(404))

    def _cookie(self) -> str:
        found = SimpleCookie(self.headers.get("cookie", "")).get("cognito")
        return found.value if found else ""

    def _hand_on(self, body: bytes) -> None:
        """AWS's own API."""
        sent = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
        answer = httpx.post(self.pool.aws.url, content=body, headers=sent, timeout=120)
        kept = {k: v for k, v in answer.headers.items() if k.startswith("x-amz") or k == "content-type"}
        self._send(Answer(answer.status_code, answer.content, kept))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Nothing: the suite's output is for failures."""


@contextmanager
def hosted_pool(aws: Aws, place: str) -> Iterator[HostedPool]:
    """A pool of the suite's AWS, with pages. Parameters: place: the service's PUBLIC_URL."""
    made = aws.user_pool()
    pool = HostedPool(
        aws,
        made["cognito_user_pool_id"],
        made["cognito_client_id"],
        {f"{place}/login/callback"},
        {f"{place}/login"},
    )
    handler = type("Handler", (_Handler,), {"pool": pool})
    server = ThreadingHTTPServer((LOOPBACK, pool.port), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield pool
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
