"""Cognito's tokens, checked as our own are, with the keys that its pool publishes.

Keys are fetched when a token names one that is not known, and every hour; a pool that swaps its keys is followed at the
next token. Somebody who sends made-up key ids does not make us ask more than once in ten seconds.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import Any, NamedTuple

import httpx
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.exceptions import InvalidTokenError, PyJWTError

from invokeai_saas.errors import Unauthenticated, Unavailable
from invokeai_saas.identity.tokens import ALGORITHM, CLOCK_SKEW, Claims, TokenVerifier
from invokeai_saas.settings import Settings

log = structlog.get_logger(__name__)

_KEEP_SECONDS = 3600.0
_AGAIN_SECONDS = 10.0
_FETCH_SECONDS = 5.0
_IDENTITY = "id"  # the use of an id token
_LONGEST_ADDRESS = 255  # as a row has room for


class Identified(NamedTuple):
    """What an id token says. Parameters: verified: whether the pool has confirmed the address."""

    sub: str
    email: str
    name: str
    verified: bool


class CognitoTokens:
    """Verifies access and id tokens of the settings' user pool.

    Parameters:
        settings: pool, client and region.
        again: seconds between two fetches because of an unknown key.
    """

    def __init__(self, settings: Settings, again: float = _AGAIN_SECONDS) -> None:
        pool, region = settings.cognito_user_pool_id, settings.aws_region
        self._issuer = f"https://cognito-idp.{region}.amazonaws.com/{pool}"
        place = f"{settings.aws_endpoint_url}/{pool}" if settings.aws_endpoint_url else self._issuer
        self._url = f"{place}/.well-known/jwks.json"
        self._client_id = settings.cognito_client_id
        self._again = again
        self._keys: dict[str, RSAPublicKey] = {}
        self._verifier = TokenVerifier(self._keys, self._issuer, self._client_id)
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()
        self._http = httpx.AsyncClient(timeout=_FETCH_SECONDS)

    async def verify(self, token: str) -> Claims:
        """What a token says.

        Raises:
            Unauthenticated: signature, key, issuer, expiry, token_use or client_id do not fit.
            Unavailable: the pool's keys cannot be fetched, and none are known.
        """
        await self._refresh(_key_id(token))
        return self._verifier.verify(token)

    async def identify(self, token: str, nonce: str | None = None) -> Identified:
        """Whom an id token is of (OpenID Connect Core 1.0, section 3.1.3.7).

        Parameters:
            nonce: what the request for the token carried; None where it was no request that could.

        Raises:
            Unauthenticated: signature, key, issuer, audience, expiry, token_use or nonce do not fit.
            Unavailable: the pool's keys cannot be fetched, or its client may not read addresses.
        """
        key_id = _key_id(token)
        await self._refresh(key_id)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys[key_id],
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._client_id,
                leeway=CLOCK_SKEW,
                options={"require": ["exp", "iat", "iss", "sub", "aud", "token_use"]},
            )
        except (InvalidTokenError, KeyError) as error:
            raise _invalid() from error
        said = str(claims.get("nonce", "")).encode()
        fits = nonce is None or hmac.compare_digest(said, nonce.encode())
        if claims["token_use"] != _IDENTITY or not fits:
            raise _invalid()
        return _identified(claims)

    async def _refresh(self, key_id: str) -> None:
        async with self._fetching:
            now = time.monotonic()
            old = now - self._fetched > _KEEP_SECONDS
            if not (old or key_id not in self._keys) or now - self._tried < self._again:
                return
            self._tried = now
            try:
                answer = (await self._http.get(self._url)).raise_for_status().json()
                keys = {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(answer).keys}
            except (httpx.HTTPError, ValueError, PyJWTError, AttributeError) as error:
                log.warning("keys_not_fetched", url=self._url, error=repr(error))
                if not self._keys:
                    self._tried = float("-inf")  # the next one tries again: nobody can log in until then
                    raise Unavailable("Log-ins cannot be checked right now. Please try again.") from error
                return
            self._take(keys)

    def _take(self, keys: dict[str | None, object]) -> None:
        found = {key_id: key for key_id, key in keys.items() if key_id and isinstance(key, RSAPublicKey)}
        if found != self._keys:
            self._keys = found
            # A new verifier: the old one believes for a minute what it has seen, keys that are gone included.
            self._verifier = TokenVerifier(found, self._issuer, self._client_id)
        self._fetched = time.monotonic()

    async def close(self) -> None:
        await self._http.aclose()


def _key_id(token: str) -> str:
    try:
        return str(jwt.get_unverified_header(token).get("kid"))
    except InvalidTokenError as error:
        raise _invalid() from error


def _invalid() -> Unauthenticated:
    return Unauthenticated("This token is not valid.", code="token_invalid")


def _identified(claims: dict[str, Any]) -> Identified:
    email = str(claims.get("email", "")).lower()
    if not 0 < len(email) <= _LONGEST_ADDRESS:
        log.error("no_address_in_token", length=len(email))
        raise Unavailable("Log-ins cannot be checked right now. Please try again.")
    name = str(claims.get("name") or email.partition("@")[0])
    return Identified(str(claims["sub"]), email, name, claims.get("email_verified") in (True, "true"))
