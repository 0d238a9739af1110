"""What one API process shares among its requests, opened once and closed once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redis.asyncio import BlockingConnectionPool, Redis
from stripe import StripeClient

from invokeai_saas.billing.stripe.client import check_payments, close_stripe, open_stripe
from invokeai_saas.catalog.changes import ModelRecords
from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.credits.estimates import EstimateBook
from invokeai_saas.db.direct import DirectPool, DirectReads
from invokeai_saas.db.freshness import Freshness
from invokeai_saas.db.logins import reader_login, writer_login
from invokeai_saas.db.session import Database, open_database
from invokeai_saas.errors import SetupError
from invokeai_saas.gallery.downloads.runner import DownloadRunner
from invokeai_saas.gallery.lists import GalleryLists
from invokeai_saas.gallery.videos.poster import decoder
from invokeai_saas.identity.hashes import KeyedHashes
from invokeai_saas.identity.keeper import open_keeper
from invokeai_saas.identity.recovery.service import Recovery
from invokeai_saas.identity.service import Identity
from invokeai_saas.identity.tokens import LocalIssuer
from invokeai_saas.privacy.runner import ExportRunner
from invokeai_saas.queue.bells import Doorbell, open_doorbell
from invokeai_saas.queue.nodetypes import NodeTypes
from invokeai_saas.ratelimit import RateLimiter
from invokeai_saas.realtime.publisher import Publisher
from invokeai_saas.settings import Settings
from invokeai_saas.slots import Slots, Spool
from invokeai_saas.storage.media import MediaSigner
from invokeai_saas.storage.objects import ObjectStore, open_object_store
from invokeai_saas.studio.shipped import Shipped

if TYPE_CHECKING:
    from invokeai_saas.identity.hosted.service import HostedLogIn


@dataclass(frozen=True)
class Services:
    """The process's shared parts. Nothing in here belongs to one request or one person."""

    settings: Settings
    database: Database
    writer: DirectPool  # for functions that are a transaction by themselves
    redis: Redis
    identity: Identity
    recovery: Recovery
    hosted: HostedLogIn | None  # None where no log-in page but our own is offered
    limiter: RateLimiter
    objects: ObjectStore
    decodes: Slots
    enqueues: Slots
    estimates: EstimateBook
    receiving: Slots  # files that come in
    spool: Spool  # where they lie meanwhile
    media: MediaSigner
    gallery: GalleryLists
    nodes: NodeCatalog
    node_types: NodeTypes
    models: ModelRecords
    doorbell: Doorbell
    publisher: Publisher
    downloads: DownloadRunner
    exports: ExportRunner
    video_uploads: Slots
    shipped: Shipped
    tills: Slots
    stripe: StripeClient | None  # None where payments are not set up


# Of a process, and of one person two, of which one waits at their account: more would take connections from others.
_ENQUEUES_AT_ONCE = 8
_TILLS = 5  # of a process: people whose wishes are being told to Stripe
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
    """Our issuer, of the tokens that pages hold."""
    given = settings.issuer_key.get_secret_value()
    key_file = settings.issuer_key_file or Path(settings.data_dir, "keys", "issuer.pem")
    return LocalIssuer(given or key_file, f"{settings.public_url}/issuer", settings.cognito_client_id)


def check_settings(settings: Settings) -> None:
    """Refuses to start without what everything rests on.

    Raises:
        SetupError: an address is missing, or one of the two secrets (picture paths, hashes of identity) is missing or
            short, or payments are set up by half, or a log-in page has no user pool, or there is no ffmpeg.
    """
    for name in ("database_url", "database_auth_url", "redis_url"):
        if not getattr(settings, name).get_secret_value():
            raise SetupError(
                f"{name.upper()} is not set.", "Set it, or let `invokeai-saas up` start the servers."
            )
    _media_signer(settings)
    KeyedHashes(settings.identity_secret.get_secret_value())
    check_payments(settings)
    if settings.cognito_hosted_url and not settings.cognito_user_pool_id:
        raise SetupError(
            "COGNITO_HOSTED_URL is set, and COGNITO_USER_POOL_ID is not.", "Set both, or only the latter."
        )
    decoder()


def _media_signer(settings: Settings) -> MediaSigner:
    return MediaSigner(settings.media_signing_key.get_secret_value(), settings.media_url_seconds)


@asynccontextmanager
async def open_services(settings: Settings, publisher: Publisher) -> AsyncIterator[Services]:
    """Opens everything an API process needs; closes it in the opposite order, also what was opened before a failure.

    Parameters:
        settings: the process's settings.
        publisher: sends Socket.IO events; it shares the process's Socket.IO server.

    Raises:
        SetupError: see check_settings.
    """
    check_settings(settings)
    async with AsyncExitStack() as opened:
        yield await _open(settings, publisher, opened)


@dataclass(frozen=True)
class _Stores:
    """Where the process keeps what is not its own."""

    redis: Redis
    freshness: Freshness | None
    database: Database
    writer: DirectPool
    reader: DirectPool


async def _open_stores(settings: Settings, opened: AsyncExitStack) -> _Stores:
    redis = open_redis(settings)
    freshness = Freshness(redis) if settings.reader_apart else None
    database = open_database(settings, freshness)
    opened.push_async_callback(database.close)
    writer = DirectPool(writer_login(settings), settings.writer_pool_overflow, settings)
    reader = DirectPool(reader_login(settings), settings.reader_pool_overflow, settings)
    for pool in (writer, reader):
        opened.push_async_callback(pool.close)
        await pool.open()
    opened.push_async_callback(redis.aclose)
    return _Stores(redis, freshness, database, writer, reader)


async def _open(settings: Settings, publisher: Publisher, opened: AsyncExitStack) -> Services:
    stores = await _open_stores(settings, opened)
    database, redis = stores.database, stores.redis
    stripe = open_stripe(settings)
    if stripe is not None:
        opened.push_async_callback(close_stripe, stripe)
    keeper = open_keeper(settings, database)
    opened.push_async_callback(keeper.close)
    doorbell = open_doorbell(settings, redis)
    opened.push_async_callback(doorbell.close)
    objects = open_object_store(settings)
    exports = ExportRunner(settings, database, objects)
    opened.push_async_callback(exports.close)
    downloads = DownloadRunner(settings, database, objects, publisher)
    opened.push_async_callback(downloads.close)
    identity = Identity(
        database, local_issuer(settings), settings, publisher.end_sessions, keeper.credentials
    )
    opened.push_async_callback(identity.catching_up.close)
    nodes = NodeCatalog(settings.node_schemas)
    media = _media_signer(settings)
    return Services(
        settings=settings,
        database=database,
        writer=stores.writer,
        redis=redis,
        identity=identity,
        recovery=keeper.recovery(identity.ended),
        hosted=keeper.hosted(identity),
        limiter=RateLimiter(redis),
        objects=objects,
        decodes=Slots(settings.decodes_at_once),
        receiving=Slots(_RECEIVED_AT_ONCE, each=3),
        spool=Spool(settings.max_spooled_bytes),
        enqueues=Slots(_ENQUEUES_AT_ONCE, each=2),
        estimates=EstimateBook(database),
        media=media,
        gallery=GalleryLists(DirectReads(stores.reader, stores.writer, stores.freshness), media),
        nodes=nodes,
        node_types=NodeTypes(nodes),
        models=ModelRecords(nodes),
        doorbell=doorbell,
        publisher=publisher,
        downloads=downloads,
        exports=exports,
        video_uploads=Slots(settings.video_uploads_at_once),
        shipped=Shipped(settings.library_dir),
        tills=Slots(_TILLS),
        stripe=stripe,
    )
