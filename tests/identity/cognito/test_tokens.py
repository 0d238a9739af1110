"""Cognito's tokens: every check, and keys that the pool swaps."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.errors import Unauthenticated, Unavailable
from invokeai_saas.identity.cognito.tokens import CognitoTokens
from invokeai_saas.settings import Settings

POOL, CLIENT, REGION = "ap-northeast-2_Abc123", "client-of-the-page", "ap-northeast-2"
ISSUER = f"https://cognito-idp.{REGION}.amazonaws.com/{POOL}"


@dataclass
class Pool:
    """A pool's keys at a real address, and tokens signed with them."""

    port: int
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)
    asked: int = 0

    def add(self, key_id: str) -> None:
        self.keys[key_id] = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def published(self) -> bytes:
        self.asked += 1
        as_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
        keys = [
            {**as_jwk(key.public_key(), as_dict=True), "kid": key_id, "alg": "RS256", "use": "sig"}
            for key_id, key in self.keys.items()
        ]
        return json.dumps({"keys": keys}).encode()

    def token(self, key_id: str, *, signed_by: rsa.RSAPrivateKey | None = None, **changes: Any) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "sub": "7c0e",
            "iss": ISSUER,
            "client_id": CLIENT,
            "origin_jti": "log-in",
            "token_use": "access",
            "iat": now,
            "exp": now + 3600,
        }
        key = signed_by or self.keys[key_id]
        return jwt.encode(claims | changes, key, algorithm="RS256", headers={"kid": key_id})


@contextmanager
def published(pool: Pool) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == f"/{POOL}/.well-known/jwks.json"
            body = pool.published() if found else b""
            self.send_response(200 if found else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: the suite's output is for failures."""

    server = ThreadingHTTPServer(("127.0.0.1", pool.port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def pool() -> Pool:
    pool = Pool(free_port())
    pool.add("first")
    return pool


@pytest.fixture
async def tokens(pool: Pool) -> AsyncIterator[CognitoTokens]:
    settings = Settings.model_validate(
        {
            "aws_endpoint_url": f"http://127.0.0.1:{pool.port}",
            "aws_region": REGION,
            "cognito_user_pool_id": POOL,
            "cognito_client_id": CLIENT,
        }
    )
    verifier = CognitoTokens(settings, again=0.3)
    yield verifier
    await verifier.close()


async def test_a_token_of_the_pool_is_believed_and_its_keys_are_asked_for_once(
    pool: Pool, tokens: CognitoTokens
) -> None:
    with published(pool):
        claims = [await tokens.verify(pool.token("first", jti=str(n))) for n in range(5)]
    assert {claim.sub for claim in claims} == {"7c0e"}
    assert pool.asked == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": f"{ISSUER}x"},
        {"client_id": "another client"},
        {"token_use": "id"},
        {"exp": int(time.time()) - 3600},
        {"sub": None},
    ],
    ids=["issuer", "client", "use", "expiry", "sub"],
)
async def test_what_does_not_fit_is_refused(
    pool: Pool, tokens: CognitoTokens, changes: dict[str, Any]
) -> None:
    with published(pool), pytest.raises(Unauthenticated):
        await tokens.verify(pool.token("first", **changes))


async def test_a_forged_signature_is_refused(pool: Pool, tokens: CognitoTokens) -> None:
    forger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with published(pool), pytest.raises(Unauthenticated):
        await tokens.verify(pool.token("first", signed_by=forger))
    with published(pool), pytest.raises(Unauthenticated):
        await tokens.verify("no token at all")


async def test_swapped_keys_are_followed_and_old_ones_are_good_no_more(
    pool: Pool, tokens: CognitoTokens
) -> None:
    old = pool.token("first")
    with published(pool):
        await tokens.verify(old)
        pool.add("second")
        del pool.keys["first"]
        await asyncio.sleep(0.35)
        assert (await tokens.verify(pool.token("second"))).sub == "7c0e"
        with pytest.raises(Unauthenticated):
            await tokens.verify(old)


async def test_made_up_key_ids_do_not_make_us_ask_each_time(pool: Pool, tokens: CognitoTokens) -> None:
    forger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    tokens._again = 60.0
    with published(pool):
        await tokens.verify(pool.token("first"))
        for n in range(20):
            with pytest.raises(Unauthenticated):
                await tokens.verify(pool.token(f"made-up-{n}", signed_by=forger))
    assert pool.asked == 1


async def test_known_keys_serve_while_the_pool_is_away(pool: Pool, tokens: CognitoTokens) -> None:
    with pytest.raises(Unavailable):
        await tokens.verify(pool.token("first"))
    with published(pool):
        await tokens.verify(pool.token("first"))
    assert (await tokens.verify(pool.token("first", jti="later"))).sub == "7c0e"
