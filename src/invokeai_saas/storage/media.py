"""Same-origin, signed, short-lived paths under /images.

On AWS CloudFront serves these paths; on one machine a route of the API does. Expiry is rounded so that the same
picture has the same path for a while and caches hit. The signature covers key and expiry (HMAC-SHA256).
"""

from __future__ import annotations

import hmac
import re
import time
from base64 import urlsafe_b64encode
from urllib.parse import quote

from invokeai_saas.errors import NotFound, SetupError

_PLAIN = re.compile(r"[A-Za-z0-9/._-]*").fullmatch  # keys that a path takes as they are
_SHORTEST_KEY = 32  # bytes: as long as the hash that it keys


class MediaSigner:
    """Signs and checks media paths.

    Parameters:
        key: secret shared by everything that signs or serves media.
        lifetime: seconds; a path is good for at least this long and at most twice as long.

    Raises:
        SetupError: the key is missing or short, so that anybody could sign everybody's paths.
    """

    def __init__(self, key: str, lifetime: int) -> None:
        self._key = key.encode()
        if len(self._key) < _SHORTEST_KEY:
            raise SetupError(
                f"MEDIA_SIGNING_KEY has {len(self._key)} bytes; it needs {_SHORTEST_KEY}.",
                "Set it to a random secret, the same one for API and workers.",
            )
        self._lifetime = lifetime

    def path(self, object_key: str) -> str:
        """The signed path of an object."""
        expires = (int(time.time()) // self._lifetime + 2) * self._lifetime
        # Asked for two hundred times a page, and ours are plain: the general way takes ten times as long.
        quoted = object_key if _PLAIN(object_key) else quote(object_key)
        return f"/images/{quoted}?expires={expires}&signature={self._signature(object_key, expires)}"

    def check(self, object_key: str, expires: int, signature: str) -> None:
        """Raises NotFound unless the signature fits and the time has not come: a bad path tells nothing."""
        fits = hmac.compare_digest(self._signature(object_key, expires).encode(), signature.encode())
        if not fits or expires < time.time():
            raise NotFound("This picture")

    def _signature(self, object_key: str, expires: int) -> str:
        digest = hmac.digest(self._key, f"{expires}:{object_key}".encode(), "sha256")
        return urlsafe_b64encode(digest[:24]).decode()
