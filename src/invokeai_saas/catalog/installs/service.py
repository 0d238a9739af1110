"""Installing models: what people may ask for, and what they see of it. A scheduler and a worker do the work."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from functools import partial
from typing import Any
from uuid import uuid4

from pydantic import AnyHttpUrl

from invokeai_saas.catalog import rights
from invokeai_saas.catalog.changes import ModelChanges
from invokeai_saas.catalog.installs import repository
from invokeai_saas.catalog.installs.checks import WEIGHTS
from invokeai_saas.catalog.installs.fetching import Fetcher
from invokeai_saas.catalog.installs.hub import Hub
from invokeai_saas.catalog.installs.parts import Part, anew, stored_keys
from invokeai_saas.catalog.installs.schemas import MAX_ID, DownloadPart, HubModels, InstallJobDTO
from invokeai_saas.catalog.installs.sources import read_source
from invokeai_saas.catalog.installs.tables import ModelInstall
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import Conflict, InvalidInput, NotFound, StorageQuotaExceeded
from invokeai_saas.identity.service import Person
from invokeai_saas.services import Services
from invokeai_saas.storage.keys import model_prefix
from invokeai_saas.storage.objects import ObjectStore

_DELETE_SECONDS = 20.0
_AT_THE_HUB = asyncio.Semaphore(2)  # a slow hub must not take all threads of a process
# The server decides these for a model that it installs.
_DECIDED = ("key", "path", "hash", "file_size", "format", "config_path", "source", "source_type")


async def begin(
    db: WriteSession, shared: Services, person: Person, source: str, token: str | None, config: ModelChanges
) -> InstallJobDTO:
    """Takes an install on; one of the same source that is under way is answered instead of a second.

    Our staff's are for everybody, other people's are their own.

    Parameters:
        token: for the source; kept until the files are here.

    Raises:
        NotInPlan: the plan has no models of one's own.
        InvalidInput: the source, or what was said about the model, cannot be taken.
        Conflict: too many installs are under way.
        StorageQuotaExceeded: the plan's storage is full.
    """
    await rights.require_own_models(db, person)
    settings = shared.settings
    found = read_source(source, Fetcher(settings), settings.model_hub_url)
    for_all = rights.is_staff(person)
    running = await repository.live_install(db, for_all, found.text)
    if running is not None:
        return as_dto(running)
    if await repository.count_live(db) >= settings.max_model_installs:
        raise Conflict(f"{settings.max_model_installs} installs are under way. Wait for one to end.")
    if not for_all and await repository.room(db) == 0:
        raise StorageQuotaExceeded(
            0, 0, "Your plan's storage is full. Delete pictures or models, or choose another plan."
        )
    install_id = secrets.randbelow(MAX_ID)
    wanted = _wanted(config) | {"source": found.text, "source_type": found.source_type}
    added = await repository.add(
        db,
        id=install_id,
        shared=for_all,
        source=found.wire,
        source_text=found.text,
        access_token=token,
        config_in=wanted,
        model_key=str(uuid4()),
    )
    row = await (
        repository.install(db, install_id) if added else repository.live_install(db, for_all, found.text)
    )
    if row is None:
        raise Conflict("This source was being installed a moment ago. Please try again.")
    return as_dto(row)


def _wanted(config: ModelChanges) -> dict[str, Any]:
    """What a person says about the model. Raises InvalidInput for what they cannot say."""
    given = {name: value for name, value in config.given().items() if value is not None}
    for name in _DECIDED:
        if name in given and name not in ("source", "source_type"):
            raise InvalidInput((name,), f"{name} is decided by the server.")
        given.pop(name, None)
    return given


async def jobs(db: ReadSession) -> list[InstallJobDTO]:
    """The person's installs."""
    return [as_dto(row) for row in await repository.installs(db)]


async def job(db: ReadSession | WriteSession, install_id: int) -> InstallJobDTO:
    """One of them. Raises NotFound."""
    return as_dto(await _require(db, install_id))


async def cancel(db: WriteSession, shared: Services, install_id: int) -> None:
    """Ends an install and removes what it has brought. One that has ended stays as it is."""
    row = await _require(db, install_id)
    if await repository.change(
        db,
        install_id,
        ("waiting", "downloading", "downloads_done", "running", "paused"),
        status="cancelled",
        access_token=None,
        lease_until=None,
    ):
        _forget(db, shared.objects, row.parts)
        said = {"id": install_id, "source": row.source}
        db.after_commit(lambda: shared.publisher.publish(db.user_id, "model_install_cancelled", said))


async def pause(db: WriteSession, install_id: int) -> InstallJobDTO:
    """Stops the download for now. An install that is past its download, or has ended, goes on as it is."""
    await _require(db, install_id)
    await repository.change(db, install_id, ("waiting", "downloading"), status="paused")
    return await job(db, install_id)


async def resume(db: WriteSession, person: Person, install_id: int) -> InstallJobDTO:
    """Goes on with a paused download. Raises NotInPlan."""
    await _require(db, install_id)
    await rights.require_own_models(db, person)
    await _wait_again(db, install_id, ("paused",))
    return await job(db, install_id)


async def restart_failed(db: WriteSession, person: Person, install_id: int) -> InstallJobDTO:
    """Downloads again what failed or is missing; files that have come are kept. Raises NotInPlan."""
    row = await _require(db, install_id)
    await rights.require_own_models(db, person)
    parts = [part if part["status"] == "completed" else anew(part) for part in row.parts]
    await _wait_again(db, install_id, ("error", "paused"), parts=parts)
    return await job(db, install_id)


async def restart_file(db: WriteSession, person: Person, install_id: int, url: AnyHttpUrl) -> InstallJobDTO:
    """Downloads one file again. An address that is none of the install's changes nothing. Raises NotInPlan."""
    row = await _require(db, install_id)
    await rights.require_own_models(db, person)
    wanted = [AnyHttpUrl(part["url"]) == url for part in row.parts]  # compared as the border writes addresses
    if any(wanted):
        parts = [anew(part) if named else part for part, named in zip(row.parts, wanted, strict=True)]
        await _wait_again(db, install_id, ("error", "paused"), parts=parts)
    return await job(db, install_id)


async def prune(db: WriteSession, objects: ObjectStore) -> None:
    """Takes what has ended off the list, and files of installs that came to nothing out of the store."""
    for status, parts in await repository.remove_ended(db):
        if status != "completed":
            _forget(db, objects, parts)


async def hub_models(shared: Services, person: Person, repo: str) -> HubModels:
    """What can be installed from a repository of the model hub.

    Raises:
        NotInPlan: the plan has no models of one's own.
        InvalidInput, SourceRefused, SourceAway: there is no such repository, or it cannot be asked.
    """
    async with shared.database.read(person.user_id) as db:  # ended before another server is waited for
        await rights.require_own_models(db, person)
    fetcher, url = Fetcher(shared.settings), shared.settings.model_hub_url
    source = read_source(repo, fetcher, url)
    if source.wire["type"] != "hf":
        raise InvalidInput(("hugging_face_repo",), "Name a repository of the model hub: owner/name.")
    async with _AT_THE_HUB:
        files = await asyncio.to_thread(Hub(fetcher, url).files, source.wire["repo_id"])
    if any(file.path.endswith(("model_index.json", "config.json")) for file in files):
        return HubModels(urls=None, is_diffusers=True)
    return HubModels.model_validate(
        {"urls": [file.url for file in files if file.path.endswith(WEIGHTS)], "is_diffusers": False}
    )


async def begin_from_hub(shared: Services, person: Person, repo: str) -> bool:
    """Installs what a repository holds if that is one model; false when it holds several.

    Raises: what `hub_models` and `begin` raise.
    """
    found = await hub_models(shared, person, repo)
    if not found.is_diffusers and len(found.urls or ()) != 1:
        return False
    source = repo if found.urls is None else str(found.urls[0])
    async with shared.database.write(person.user_id) as db:
        await begin(db, shared, person, source, None, ModelChanges())
    return True


async def _wait_again(db: WriteSession, install_id: int, was: tuple[str, ...], **changes: Any) -> None:
    await repository.change(
        db, install_id, was, status="waiting", claim=None, lease_until=None, attempts=0, error_type=None, error=None,
        **changes,
    )  # fmt: skip


async def _require(db: ReadSession | WriteSession, install_id: int) -> ModelInstall:
    """Raises NotFound; InvokeAI says 415 for most of these, which says nothing."""
    row = await repository.install(db, install_id) if install_id <= MAX_ID else None
    if row is None:
        raise NotFound("This install")
    return row


def _forget(db: WriteSession, objects: ObjectStore, parts: Iterable[Part]) -> None:
    keys = stored_keys(parts)
    if keys:
        db.after_commit(partial(objects.delete, keys), _DELETE_SECONDS)


def as_dto(row: ModelInstall) -> InstallJobDTO:
    """An install on InvokeAI's wire."""
    prefix = model_prefix(None if row.shared else row.user_id, row.model_key)
    return InstallJobDTO(
        id=row.id,
        status=row.status,
        error_reason=row.error_type,
        config_in=row.config_in,
        config_out=row.config_out,
        source=row.source,
        local_path=prefix,
        bytes=row.bytes,
        total_bytes=row.total_bytes,
        download_parts=[_part_dto(number, part, prefix, row.status) for number, part in enumerate(row.parts)],
        error=row.error,
    )


def _part_dto(number: int, part: dict[str, Any], prefix: str, status: str) -> DownloadPart:
    path = f"{prefix}/{part['path']}" if part["path"] else None
    stopped = status if status in ("paused", "cancelled", "error") else "running"
    return DownloadPart(
        id=number,
        dest=prefix,
        download_path=path,
        status=stopped if part["status"] == "running" else part["status"],
        bytes=part["bytes"],
        total_bytes=part["total_bytes"],
        error_type=part["error_type"],
        error=part["error"],
        source=part["url"],
        expected_total_bytes=part["total_bytes"] or None,
        etag=part["etag"],
    )
