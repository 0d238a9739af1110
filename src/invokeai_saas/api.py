"""The API process: asyncio only, no torch, as many of them as there are connections to serve."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version as installed_version

import socketio
import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from invokeai_saas.admin.acts_endpoints import router as admin_acts_router
from invokeai_saas.admin.endpoints import router as admin_router
from invokeai_saas.billing.endpoints import router as billing_router
from invokeai_saas.billing.selling.endpoints import router as selling_router
from invokeai_saas.billing.stripe.endpoints import router as stripe_router
from invokeai_saas.bodylimit import BodyLimitMiddleware
from invokeai_saas.catalog.endpoints import router as catalog_router
from invokeai_saas.catalog.installs.endpoints import router as installs_router
from invokeai_saas.catalog.relationships.endpoints import router as relationships_router
from invokeai_saas.credits.endpoints import router as credits_router
from invokeai_saas.errors import ServiceError
from invokeai_saas.figures.endpoints import router as figures_router
from invokeai_saas.gallery.board_endpoints import router as boards_router
from invokeai_saas.gallery.downloads.endpoints import router as downloads_router
from invokeai_saas.gallery.endpoints import router as images_router
from invokeai_saas.gallery.listing_endpoints import router as gallery_router
from invokeai_saas.gallery.storage_endpoints import router as storage_router
from invokeai_saas.gallery.uploads.endpoints import PATH as UPLOAD_PATH
from invokeai_saas.gallery.uploads.endpoints import router as uploads_router
from invokeai_saas.gallery.videos.endpoints import UPLOAD_PATH as VIDEO_UPLOAD_PATH
from invokeai_saas.gallery.videos.endpoints import router as videos_router
from invokeai_saas.identity.endpoints import router as identity_router
from invokeai_saas.identity.hosted.endpoints import router as hosted_router
from invokeai_saas.identity.keys.endpoints import router as keys_router
from invokeai_saas.identity.recovery.endpoints import router as recovery_router
from invokeai_saas.identity.staff.endpoints import router as staff_router
from invokeai_saas.observability.metrics import ApiMetrics, served
from invokeai_saas.observability.requests import RequestMiddleware
from invokeai_saas.observability.tracing import open_provider
from invokeai_saas.organisations.endpoints import router as organisations_router
from invokeai_saas.portal.endpoints import is_opened, page_router
from invokeai_saas.portal.endpoints import router as portal_router
from invokeai_saas.portal.pages import show_error
from invokeai_saas.privacy.endpoints import router as privacy_router
from invokeai_saas.queue.endpoints import estimate_router
from invokeai_saas.queue.endpoints import router as queue_router
from invokeai_saas.realtime.bounds import BoundedServer
from invokeai_saas.realtime.publisher import Publisher
from invokeai_saas.realtime.rooms import SOCKET_PATH
from invokeai_saas.realtime.server import Sockets, make_server
from invokeai_saas.services import Services, open_services
from invokeai_saas.settings import Settings, get_settings
from invokeai_saas.storage.endpoints import router as media_router
from invokeai_saas.studio.endpoints import public as app_router
from invokeai_saas.studio.endpoints import router as studio_router
from invokeai_saas.studio.presets.endpoints import router as presets_router
from invokeai_saas.studio.recall.endpoints import router as recall_router
from invokeai_saas.studio.refusals import router as refusals_router
from invokeai_saas.studio.system_prompts.endpoints import router as system_prompts_router
from invokeai_saas.studio.workflows.endpoints import router as workflows_router

log = structlog.get_logger(__name__)


def _routers() -> list[APIRouter]:
    return [
        queue_router,  # first: each router before it costs every enqueue some hundredths of a millisecond
        identity_router,
        recovery_router,
        hosted_router,
        keys_router,
        estimate_router,
        billing_router,
        selling_router,
        stripe_router,
        credits_router,
        storage_router,
        organisations_router,
        privacy_router,
        app_router,
        gallery_router,
        images_router,
        uploads_router,
        downloads_router,
        boards_router,
        videos_router,
        media_router,
        studio_router,
        workflows_router,
        presets_router,
        system_prompts_router,
        recall_router,
        catalog_router,
        installs_router,
        relationships_router,
        portal_router,
        staff_router,
        admin_router,
        admin_acts_router,
        figures_router,
        refusals_router,  # every path under /api that nobody before it has taken
        page_router,  # last: it answers every path that nobody else does
    ]


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The ASGI application: our routes, and Socket.IO beside them.

    Socket.IO wraps the routes rather than being mounted: mounts rewrite paths, and the engine.io handshake
    with them.
    """
    settings = settings or get_settings()
    sockets = make_server(settings)
    metrics, traces = ApiMetrics(), open_provider(settings, "api")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(settings, Publisher(sockets)) as services:
            app.state.services = services
            try:
                async with _connected(sockets, services, metrics):
                    yield
            finally:
                if traces is not None:
                    await asyncio.to_thread(traces.shutdown)

    app = FastAPI(
        title="InvokeAI SaaS",
        version=installed_version("invokeai-saas"),
        lifespan=lifespan,
        openapi_url=None,  # /openapi.json is served by the catalog, merged with InvokeAI's node schemas
        docs_url=None,
        redoc_url=None,
        telemetry={
            "tracing": traces is not None,
            "tracer_provider": traces,
            "metrics": False,
            "logs": False,
            "auto_configure": False,
        },
    )
    _equip(app, settings, metrics)
    combined: ASGIApp = socketio.ASGIApp(sockets, other_asgi_app=app, socketio_path=SOCKET_PATH)
    return combined


@asynccontextmanager
async def _connected(sockets: BoundedServer, services: Services, metrics: ApiMetrics) -> AsyncIterator[None]:
    """Sockets are taken, looked after and counted."""
    connected = Sockets(sockets, services)
    metrics.watch_sockets(connected.count)
    watching = asyncio.create_task(connected.watch())
    settings = services.settings
    try:
        with served(metrics.registry, settings.metrics_host, settings.metrics_port):
            yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        await sockets.manager.close()


def _equip(app: FastAPI, settings: Settings, metrics: ApiMetrics) -> None:
    """Its routes, what its errors look like, and what stands before each request."""
    for router in _routers():
        app.include_router(router)
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_middleware(
        BodyLimitMiddleware,
        limit=settings.max_body_bytes,
        larger={
            UPLOAD_PATH: settings.max_upload_bytes + settings.max_body_bytes,
            VIDEO_UPLOAD_PATH: settings.max_video_bytes + settings.max_body_bytes,
        },
    )
    app.add_middleware(RequestMiddleware, metrics=metrics if settings.metrics_port else None)


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    if is_opened(request):
        return show_error(request, error)
    return JSONResponse(error.body(), status_code=error.status, headers=error.headers())


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    """422 with FastAPI's list under `detail`, less the rejected input itself: it may be a megabyte, or a password."""
    assert isinstance(error, RequestValidationError)
    entries = [
        {"loc": [_whole(str(part)) for part in e["loc"]], "msg": _whole(e["msg"]), "type": e["type"]}
        for e in error.errors()[:20]
    ]
    return JSONResponse({"detail": entries, "code": "invalid_input"}, status_code=422)


def _whole(text: str) -> str:
    """Text without half characters: a message may quote what a stranger wrote."""
    return text.encode(errors="replace").decode()


async def _gone(request: Request, error: Exception) -> Response:
    """The caller left while we were reading: nobody hears this answer, and nothing is wrong with us."""
    return Response(status_code=400)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    """The framework's own refusals (a body it cannot parse, a method it lacks), with a code like all others."""
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return JSONResponse(
        {"detail": error.detail, "code": code}, status_code=error.status_code, headers=error.headers
    )
