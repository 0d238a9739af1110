"""An edge before the store, what it was told to forget, and a way to it that can be troubled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from invokeai_saas.edge.purging import EdgePurger
from invokeai_saas.embedded.ports import LOOPBACK
from invokeai_saas.settings import Settings
from invokeai_saas.storage.objects import ObjectStore
from tests.aws import Aws
from tests.gallery.people import Gallery
from tests.servers import TestDatabase

IMAGES = "/api/v1/images"
# As CloudFront refuses (https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html).
_REFUSAL = (
    '<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type>'
    "<Code>{code}</Code><Message>not now</Message></Error><RequestId>r</RequestId></ErrorResponse>"
)


@dataclass
class Edge:
    """A distribution, or none. Parameters: settings: of a scheduler that purges it."""

    settings: Settings
    database: TestDatabase
    aws: Aws | None
    distribution: str = ""

    def purger(self, objects: ObjectStore, **changes: Any) -> EdgePurger:
        """A scheduler's part, as after a start."""
        return EdgePurger(self.settings.model_copy(update=changes), objects)

    def look(self, objects: ObjectStore, **changes: Any) -> None:
        """One look of a scheduler that was just started, with the waiting cut short."""
        with psycopg.connect(self.database.owner) as connection:
            connection.execute("UPDATE removed_files SET due_at = now()")
        purger = self.purger(objects, **changes)
        try:
            purger.look()
        finally:
            purger.close()

    def waiting(self) -> list[Any]:
        """(keys, tries) of what is still to be forgotten."""
        with psycopg.connect(self.database.owner) as connection:
            return connection.execute("SELECT keys, tries FROM removed_files ORDER BY id").fetchall()

    def purges(self) -> list[tuple[str, list[str]]]:
        """(reference, paths) of each that the distribution took."""
        assert self.aws is not None
        cloudfront = self.aws.client("cloudfront")
        listed = cloudfront.list_invalidations(DistributionId=self.distribution)["InvalidationList"]
        batches = [
            cloudfront.get_invalidation(DistributionId=self.distribution, Id=item["Id"])["Invalidation"][
                "InvalidationBatch"
            ]
            for item in listed.get("Items", [])
        ]
        return [(batch["CallerReference"], batch["Paths"]["Items"]) for batch in batches]

    def purged(self) -> set[str]:
        return {path for _, paths in self.purges() for path in paths}


async def stored_picture(ada: Gallery, objects: ObjectStore) -> tuple[str, list[str]]:
    """A picture with its files: (name, keys)."""
    name = ada.add()
    folder = f"users/{ada.user_id}/images"
    keys = [f"{folder}/{name}", f"{folder}/thumbnails/{name[:-4]}.webp"]
    for key in keys:
        await objects.put(key, b"x", "image/png")
    return name, keys


def distribution(aws: Aws) -> str:
    """A distribution of nothing in particular; answers its id."""
    config = {
        "CallerReference": uuid4().hex,
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [{"Id": "files", "DomainName": "files.s3.amazonaws.com"}]},
        "DefaultCacheBehavior": {"TargetOriginId": "files", "ViewerProtocolPolicy": "https-only"},
    }
    made = aws.client("cloudfront").create_distribution(DistributionConfig=config)
    return str(made["Distribution"]["Id"])


@contextmanager
def troubled(aws: Aws, *troubles: str) -> Iterator[str]:
    """A way to AWS on which requests are refused in turn with these codes; "lost": done, and not answered."""
    left = list(troubles)

    class Way(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            trouble = left.pop(0) if left else None
            if trouble in (None, "lost"):
                headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
                answer = httpx.post(f"{aws.url}{self.path}", content=body, headers=headers, timeout=120)
                if trouble == "lost":
                    self.close_connection = True
                    return
                self._answer(answer.status_code, answer.content)
            else:
                self._answer(400, _REFUSAL.format(code=trouble).encode())

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer((LOOPBACK, 0), Way)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(120)
    assert not left, "a trouble was not met"
