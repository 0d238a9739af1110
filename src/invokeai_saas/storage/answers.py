"""Files of the object store as HTTP answers."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from invokeai_saas.storage.objects import ObjectStore
from invokeai_saas.storage.ranges import ranged_file

# By the ending, because it is ours: what a file once claimed to be is never believed.
_TYPES = {".png": "image/png", ".webp": "image/webp", ".mp4": "video/mp4", ".zip": "application/zip"}
_PLAYED = {".mp4"}  # in pieces, from anywhere: players seek
_SAVED = {".zip"}  # to disk, whole
# What is passed on to the store of a stranger's If-None-Match; anything else is as good as none.
_ETAG = re.compile(r'\*|(W/)?"[\x21\x23-\x7e]{1,200}"')


async def stored_file(request: Request, objects: ObjectStore, key: str, *, max_age: int) -> Response:
    """A file, its head for HEAD, or 304 for who has it; of a video, any range of it.

    Parameters:
        key: of the object.
        max_age: seconds that this person's browser, and no shared cache, may keep it without asking again.

    Raises NotFound, and Unavailable when the store can't be reached.
    """
    suffix = PurePosixPath(key).suffix
    media_type = _TYPES.get(suffix, "application/octet-stream")
    headers = {"Cache-Control": f"private, max-age={max_age}, immutable" if max_age else "private, no-cache"}
    if suffix in _PLAYED:
        headers["Accept-Ranges"] = "bytes"
    if suffix in _SAVED:
        headers["Content-Disposition"] = f'attachment; filename="{PurePosixPath(key).name}"'
    if request.method == "HEAD":
        head = await objects.head(key)
        headers |= {"Content-Length": str(head.size), **_validator(head.etag)}
        return Response(media_type=media_type, headers=headers)
    if suffix in _SAVED:  # of any size, so piece by piece
        stream = await objects.open(key)
        return StreamingResponse(
            stream.chunks, media_type=media_type, headers=headers | {"Content-Length": str(stream.size)}
        )
    known = request.headers.get("if-none-match", "")
    if suffix in _PLAYED:
        unless = known if _ETAG.fullmatch(known) else None
        return await ranged_file(request, objects, key, media_type, headers, unless)
    stored = await objects.get_unless(key, known) if _ETAG.fullmatch(known) else await objects.get(key)
    if stored is None:
        return Response(status_code=304, headers=headers | _validator(known))
    return Response(stored.data, media_type=media_type, headers=headers | _validator(stored.etag))


def _validator(etag: str | None) -> dict[str, str]:
    return {"ETag": etag} if etag else {}
