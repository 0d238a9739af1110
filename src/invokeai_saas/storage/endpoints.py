"""The signed paths under /images on one machine. On AWS CloudFront takes them, and they never come here."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response

from invokeai_saas.identity.access import Shared
from invokeai_saas.storage.answers import stored_file

router = APIRouter()


@router.api_route("/images/{key:path}", methods=["GET", "HEAD"], include_in_schema=False)
async def media(
    key: str, request: Request, shared: Shared, expires: int = 0, signature: str = ""
) -> Response:
    """A file, for whoever holds its path: an `<img>` sends no token.

    Other query parameters are no part of what is signed: the page appends one of its own.
    """
    shared.media.check(key, expires, signature)
    return await stored_file(request, shared.objects, key, max_age=max(1, int(expires - time.time())))
