"""What one API process shares among its requests, opened once and closed once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import BlockingConnectionPool, Redis

from invokeai_saas.catalog.changes import ModelRecords
from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.db.direct import DirectPool, DirectReads
from invokeai_saas.db.freshness import Freshness
from invokeai_saas.db.session import Database, open_database
from invokeai_saas.errors import SetupError
from invokeai_saas.gallery.downloads.runner import DownloadRunner
from invokeai_saas.gallery.lists import GalleryLists
from invokeai_saas.identity.service import Identity
from invokeai_saas.identity.tokens import LocalIssuer
from invokeai_saas.queue.doorbell import Doorbell
from invokeai_saas.queue.nodetypes import NodeTypes
from invokeai_saas.ratelimit import RateLimiter
from invokeai_saas.realtime.publisher import Publisher
from invokeai_saas.settings import Settings
from invokeai_saas.slots import Slots
from invokeai_saas.storage.media import MediaSigner
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from invokeai_saas.studio.shipped import Shipped


@dataclass(frozen=True)
class Services:
    """The process's shared parts. Nothing in here belongs to one request or one person."""

    settings: Settings
    database: Database
    writer: DirectPool  # for functions that are a transaction by themselves
    redis: Redis
    identity: Identity
    limiter: RateLimiter
    objects: ObjectStore
    decodes: Slots
    enqueues: Slots
    receiving: Slots  # pictures that come in
    media: MediaSigner
    gallery: GalleryLists
    nodes: NodeCatalog
    node_types: NodeTypes
    models: ModelRecords
    doorbell: Doorbell
    publisher: Publisher
    downloads: DownloadRunner
    video_uploads: Slots
    shipped: Shipped


# Of a process, and of one person two, of which one waits at their account: more would take connections from others.
_ENQUEUES_AT_ONCE = 8
_RECEIVED_AT_ONCE = 100  # each lies in a temporary file meanwhile


def open_redis(settings: Settings) -> Redis:
    """A pool that waits for a free connection rather than failing when many requests come at once."""
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        max_connections=50,
        timeout=5,
        socket_connect_timeout=1,
        socket_timeout=1,
    )
    return Redis(connection_pool=pool)


def local_issuer(settings: Settings) -> LocalIssuer:
    """The embedded identity provider of one machine."""
    key_file = settings.issuer_key_file or Path(settings.data_dir, "keys", "issuer.pem")
    return LocalIssuer(key_file, f"{settings.public_url}/issuer", settings.cognito_client_id)


def check_settings(settings: Settings) -> None:
    """Refuses to start without what everything rests on.

    Raises:
        SetupError: an address is missing, or the key that signs picture paths is missing or short.
    """
    for name in ("database_url", "database_auth_url", "redis_url"):
        if not getattr(settings, name).get_secret_value():
            raise SetupError(
                f"{name.upper()} is not set.", "Set it, or let `invokeai-saas up` start the servers."
            )
    _media_signer(settings)


def _media_signer(settings: Settings) -> MediaSigner:
    return MediaSigner(settings.media_signing_key.get_secret_value(), settings.media_url_seconds)


@asynccontextmanager
async def open_services(settings: Settings, publisher: Publisher) -> AsyncIterator[Services]:
    """Opens everything an API process needs.

    Parameters:
        settings: the process's settings.
        publisher: sends Socket.IO events; it shares the process's Socket.IO server.

    Raises:
        SetupError: see check_settings.
    """
    check_settings(settings)
    redis = open_redis(settings)
    freshness = Freshness(redis) if settings.reader_apart else None
    database = open_database(settings, freshness)
    nodes = NodeCatalog(settings.node_schemas)
    media = _media_signer(settings)
    objects = open_object_store(settings)
    downloads = DownloadRunner(settings, database, objects, publisher)
    writer = DirectPool(settings.database_url, settings.writer_pool_overflow, settings)
    reader = DirectPool(
        settings.database_reader_url or settings.database_url, settings.reader_pool_overflow, settings
    )
    await writer.open()
    await reader.open()
    try:
        yield Services(
            settings=settings,
            database=database,
            writer=writer,
            redis=redis,
            identity=Identity(database, local_issuer(settings), settings, publisher.end_sessions),
            limiter=RateLimiter(redis),
            objects=objects,
            decodes=Slots(settings.decodes_at_once),
            receiving=Slots(_RECEIVED_AT_ONCE, each=3),
            enqueues=Slots(_ENQUEUES_AT_ONCE, each=2),
            media=media,
            gallery=GalleryLists(DirectReads(reader, writer, freshness), media),
            nodes=nodes,
            node_types=NodeTypes(nodes),
            models=ModelRecords(nodes),
            doorbell=Doorbell(redis),
            publisher=publisher,
            downloads=downloads,
            video_uploads=Slots(settings.video_uploads_at_once),
            shipped=Shipped(settings.library_dir),
        )
    finally:
        await downloads.close()  # while there is a database to write to
        await redis.aclose()
        await reader.close()
        await writer.close()
        await database.close()
