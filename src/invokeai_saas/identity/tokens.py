"""Access tokens: issued by the embedded issuer with Cognito's claims, verified by the same code for both.

Claims follow Amazon Cognito's access token: no `aud`, but `client_id`, `token_use` and `origin_jti`, which names
the log-in that a revocation ends. https://docs.aws.amazon.com/cognito/ (Understanding the access token)
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from invokeai_saas.errors import SetupError, Unauthenticated

ALGORITHM = "RS256"
CLOCK_SKEW = 10  # seconds
# A signature that fitted is believed so long without doing the sums again: a page asks many times a second.
_TRUST_SECONDS = 60
_TRUST_SIZE = 20_000  # tokens
TokenUse = Literal["access", "media"]


@dataclass(frozen=True)
class Claims:
    """What a verified token says. Times are seconds since the epoch."""

    sub: str
    session: str  # Cognito's origin_jti
    issued_at: int
    expires_at: int

    @property
    def stale(self) -> bool:
        """Whether more than half of its life has passed: time to hand out a fresh one."""
        return time.time() > (self.issued_at + self.expires_at) / 2


class TokenVerifier:
    """Checks signature, issuer, expiry, token_use and client_id.

    Parameters:
        keys: public keys by key id, as a JWKS lists them.
        issuer: the expected `iss`.
        client_id: the expected `client_id`.
    """

    def __init__(self, keys: Mapping[str, rsa.RSAPublicKey], issuer: str, client_id: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._client_id = client_id
        self._verified: dict[tuple[str, TokenUse], tuple[float, Claims]] = {}

    def verify(self, token: str, use: TokenUse = "access") -> Claims:
        """Raises Unauthenticated (code `token_expired` or `token_invalid`) unless everything fits."""
        now = time.time()
        until, claims = self._verified.get((token, use), (0.0, None))
        if claims is None or until <= now:
            claims = self._check(token, use)
            if len(self._verified) >= _TRUST_SIZE:
                self._verified.clear()
            self._verified[token, use] = (min(now + _TRUST_SECONDS, claims.expires_at), claims)
        return claims

    def _check(self, token: str, use: TokenUse) -> Claims:
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                leeway=CLOCK_SKEW,
                options={"require": ["exp", "iat", "iss", "sub", "token_use", "client_id", "origin_jti"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated(
                "Your session has expired. Please log in again.", code="token_expired"
            ) from error
        except (jwt.InvalidTokenError, KeyError) as error:
            raise Unauthenticated(
                "This token is not valid. Please log in again.", code="token_invalid"
            ) from error
        if claims["token_use"] != use or claims["client_id"] != self._client_id:
            raise Unauthenticated("This token is not valid here. Please log in again.", code="token_invalid")
        return Claims(claims["sub"], claims["origin_jti"], int(claims["iat"]), int(claims["exp"]))


class LocalIssuer:
    """The embedded issuer: one RSA key, made on first use and kept.

    Parameters:
        key: the private key in PEM, or the file where it lies (readable by its owner only; made if it is missing).
        issuer: the `iss` it writes.
        client_id: the `client_id` it writes.
    """

    def __init__(self, key: Path | str, issuer: str, client_id: str) -> None:
        self._key = _load_or_make(key) if isinstance(key, Path) else _load(key.encode(), "ISSUER_KEY")
        self._issuer = issuer
        self._client_id = client_id
        public = self._key.public_key()
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._key_id = sha256(der).hexdigest()[:16]
        self.public_keys = {self._key_id: public}

    def issue(self, sub: str, session: str, user_id: str, lifetime: int, use: TokenUse = "access") -> str:
        """Signs a token. Parameters: lifetime: seconds.

        `user_id` and `token_epoch` are there for InvokeAI's page, which compares them to tell a refreshed token
        from another person's; nothing of ours believes them. With Cognito a pre-token trigger adds them.
        """
        now = int(time.time())
        claims = {
            "sub": sub,
            "iss": self._issuer,
            "client_id": self._client_id,
            "origin_jti": session,
            "jti": str(uuid4()),
            "token_use": use,
            "scope": "aws.cognito.signin.user.admin",
            "username": sub,
            "auth_time": now,
            "iat": now,
            "user_id": user_id,
            "token_epoch": 0,
            "exp": now + lifetime,
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._key_id})

    def verifier(self) -> TokenVerifier:
        """A verifier that trusts this issuer's key."""
        return TokenVerifier(self.public_keys, self._issuer, self._client_id)


def _load_or_make(key_file: Path) -> rsa.RSAPrivateKey:
    if not key_file.exists():
        key_file.parent.mkdir(parents=True, exist_ok=True)
        pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        # Written aside and linked into place: of several processes that start at once, one key wins.
        draft = key_file.with_name(f"{key_file.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pem)
        try:
            os.link(draft, key_file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return _load(key_file.read_bytes(), str(key_file))


def _load(pem: bytes, name: str) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise SetupError(f"{name} does not hold a private key.", "Make it an RSA key in PEM.") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SetupError(f"{name} does not hold an RSA key.", "Make it an RSA key in PEM.")
    return key
