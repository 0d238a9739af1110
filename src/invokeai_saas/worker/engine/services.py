"""InvokeAI's services as our worker has them: a handful that reach the job's context, and nothing else.

No web server, no SQLite, no files: pictures, events and model records go through the `Run` on the desk,
tensors stay in its memory, and every service that no allowed node needs is `Absent`.
"""

from __future__ import annotations

import inspect
import json
import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub.constants
from diffusers import DiffusionPipeline
from invokeai.app.invocations.baseinvocation import BaseInvocation
from invokeai.app.invocations.fields import MetadataField
from invokeai.app.services.config import InvokeAIAppConfig
from invokeai.app.services.config.config_default import get_config
from invokeai.app.services.events.events_base import EventServiceBase
from invokeai.app.services.events.events_common import EventBase
from invokeai.app.services.image_records.image_records_common import (
    ImageCategory,
    ImageRecordNotFoundException,
    ResourceOrigin,
)
from invokeai.app.services.images.images_base import ImageServiceABC
from invokeai.app.services.images.images_common import ImageDTO
from invokeai.app.services.invocation_services import InvocationServices
from invokeai.app.services.invocation_stats.invocation_stats_base import InvocationStatsServiceBase
from invokeai.app.services.invoker import Invoker
from invokeai.app.services.object_serializer.object_serializer_base import ObjectSerializerBase
from invokeai.app.services.object_serializer.object_serializer_common import ObjectNotFoundError
from invokeai.app.services.session_queue.session_queue_base import SessionQueueBase
from invokeai.app.services.session_queue.session_queue_common import SessionQueueItem
from invokeai.app.services.shared.graph import GraphExecutionState
from PIL import Image
from typing_extensions import override

from invokeai_saas.errors import NotFound
from invokeai_saas.worker.contract import JobContext, StoredImage
from invokeai_saas.worker.engine.absent import Absent, refuses_the_rest
from invokeai_saas.worker.engine.checkpoints import configuration as checkpoints
from invokeai_saas.worker.engine.models import build_model_manager
from invokeai_saas.worker.engine.redaction import readable_message, readable_traceback
from invokeai_saas.worker.engine.running import Desk
from invokeai_saas.worker.engine.videos import Videos
from invokeai_saas.worker.noderules import picture_problem

log = logging.getLogger(__name__)

SENT_EVENTS = frozenset(
    {
        "invocation_started",
        "invocation_progress",
        "invocation_complete",
        "invocation_error",
        "model_load_started",
        "model_load_complete",
    }
)


class Events(EventServiceBase):  # type: ignore[misc]
    """Hands the engine's events to the job's context, in the form that InvokeAI's socket sends."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @override
    def dispatch(self, event: EventBase) -> None:
        run, name = self._desk.run, event.__event_name__
        if name not in SENT_EVENTS or run.interrupted:
            return
        payload = event.model_dump(mode="json")
        if name == "invocation_error":
            payload["error_message"] = readable_message(payload["error_message"])
            payload["error_traceback"] = readable_traceback(payload["error_traceback"])
        try:
            run.context.emit(name, payload)
        except Exception:  # an event that is lost costs a progress bar, not the job
            log.warning("event %s of job %s was not sent", name, run.job.item_id, exc_info=True)


@refuses_the_rest
class Pictures(ImageServiceABC):  # type: ignore[misc]
    """Pictures of the job's person, and of nobody else."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    @override
    def create(
        self,
        image: Image.Image,
        image_origin: ResourceOrigin,
        image_category: ImageCategory,
        node_id: str | None = None,
        session_id: str | None = None,
        board_id: str | None = None,
        is_intermediate: bool | None = False,
        metadata: str | None = None,
        workflow: str | None = None,
        graph: str | None = None,
        user_id: str | None = None,
    ) -> ImageDTO:
        run = self._desk.run
        if node_id is None:
            raise ValueError("A picture needs the node that made it.")
        _check_size(image)
        # The page's own workflow is kept as it came: InvokeAI's model of it would drop what it doesn't know.
        workflow = json.dumps(run.job.workflow) if run.job.workflow else None
        with run.outside() as context:
            stored = context.save_image(
                image.copy(),  # encoded behind our back, while the node may go on drawing
                image_name=run.next_name(node_id),
                node_id=node_id,
                session_id=session_id,
                image_origin=image_origin.value,
                image_category=image_category.value,
                is_intermediate=bool(is_intermediate),
                board_id=board_id,
                metadata=metadata,
                workflow=workflow,
                graph=graph,
            )
        return _dto(stored)

    @override
    def get_pil_image(self, image_name: str) -> Image.Image:
        with self._of_the_person() as context:
            image = context.load_image(image_name)
        _check_size(image)
        return image

    @override
    def get_dto(self, image_name: str) -> ImageDTO:
        with self._of_the_person() as context:
            return _dto(context.image_record(image_name))

    @override
    def get_metadata(self, image_name: str) -> MetadataField | None:
        with self._of_the_person() as context:
            metadata = context.image_metadata(image_name)
        return None if metadata is None else MetadataField(root=metadata)

    @contextmanager
    def _of_the_person(self) -> Iterator[JobContext]:
        try:
            with self._desk.run.outside() as context:
                yield context
        except NotFound as error:
            raise ImageRecordNotFoundException("The image was not found.") from error


def _check_size(image: Image.Image) -> None:
    """Raises ValueError for a picture that is too large or too narrow to be worked on."""
    problem = picture_problem(*image.size)
    if problem:
        raise ValueError(problem)


def _dto(stored: StoredImage) -> ImageDTO:
    return ImageDTO.model_validate(stored, from_attributes=True)


class SessionObjects(ObjectSerializerBase[Any]):  # type: ignore[misc]
    """Tensors or conditioning of the run in hand, in memory.

    A graph may name a tensor itself. It finds only what this very run has saved: names of other sessions,
    the person's own included, are unknown, and gone with their run.
    """

    def __init__(self, desk: Desk, kind: str) -> None:
        super().__init__()
        self._desk, self._kind = desk, kind

    @override
    def save(self, obj: Any) -> str:
        name = f"{self._kind}_{secrets.token_hex(16)}"
        self._desk.run.objects[name] = obj
        return name

    @override
    def load(self, name: str) -> Any:
        held = self._desk.run.objects
        if not name.startswith(f"{self._kind}_") or name not in held:
            raise ObjectNotFoundError(name)
        return held[name]

    @override
    def delete(self, name: str) -> None:
        self._desk.run.objects.pop(name, None)
        self._on_deleted(name)


@refuses_the_rest
class JobQueue(SessionQueueBase):  # type: ignore[misc]
    """The queue as InvokeAI's runner sees it: the one job in hand. The real one settles afterwards."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @override
    def get_queue_item(self, item_id: int) -> SessionQueueItem:
        return self._desk.run.item

    @override
    def set_queue_item_session(self, item_id: int, session: GraphExecutionState) -> SessionQueueItem:
        return self._desk.run.item  # the very session that the runner works on

    @override
    def complete_queue_item(
        self, item_id: int, queue_item: SessionQueueItem | None = None
    ) -> SessionQueueItem:
        self._desk.run.item.status = "completed"
        return self._desk.run.item

    @override
    def cancel_queue_item(self, item_id: int) -> SessionQueueItem:
        self._desk.run.item.status = "canceled"
        return self._desk.run.item

    @override
    def fail_queue_item(
        self, item_id: int, error_type: str, error_message: str, error_traceback: str
    ) -> SessionQueueItem:
        item = self._desk.run.item
        item.status = "failed"
        item.error_type, item.error_message, item.error_traceback = error_type, error_message, error_traceback
        return item


@refuses_the_rest
class NodeClock(InvocationStatsServiceBase):  # type: ignore[misc]
    """Counts wall seconds by node type. InvokeAI's own also measures memory around each node, at a price."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @override
    @contextmanager
    def collect_stats(self, invocation: BaseInvocation, graph_execution_state_id: str) -> Iterator[None]:
        run, started = self._desk.run, time.perf_counter()
        try:
            yield
        finally:
            run.node_seconds[invocation.get_type()] += time.perf_counter() - started

    @override
    def log_stats(self, graph_execution_state_id: str) -> None: ...

    @override
    def reset_stats(self, graph_execution_state_id: str) -> None: ...


def configure(scratch: Path) -> InvokeAIAppConfig:
    """InvokeAI's process-wide configuration, fitted to a shared worker.

    Parameters:
        scratch: private folder of this worker process; takes the place of INVOKEAI_ROOT.

    Raises RuntimeError if the model hub's client was imported before our package took it offline.
    """
    if not huggingface_hub.constants.HF_HUB_OFFLINE:
        raise RuntimeError("Import invokeai_saas.worker.engine before anything that imports huggingface_hub.")
    DiffusionPipeline._progress_bar_config = {"disable": True}  # it overrules TQDM_DISABLE
    config = get_config()
    config._root = scratch
    config.models_dir = scratch / "models"
    config.node_cache_size = 0  # its keys don't say whose result they hold
    config.multiuser = False  # would ask a user table; our context checks instead
    config.remote_api_tokens = None
    config.unsafe_disable_picklescan = False
    checkpoints.install(scratch / "checkpoints")
    return config


def build_services(desk: Desk, scratch: Path) -> InvocationServices:
    """Build and start the services. Once per process: models stay in their cache from job to job."""
    config = configure(scratch)
    present: dict[str, Any] = {
        "configuration": config,
        "logger": logging.getLogger("invokeai_saas.worker.engine.nodes"),
        "events": Events(desk),
        "images": Pictures(desk),
        "videos": Videos(desk),
        "model_manager": build_model_manager(desk, config),
        "performance_statistics": NodeClock(desk),
        "session_queue": JobQueue(desk),
        "tensors": SessionObjects(desk, "tensor"),
        "conditioning": SessionObjects(desk, "conditioning"),
    }
    slots = [name for name in inspect.signature(InvocationServices.__init__).parameters if name != "self"]
    services = InvocationServices(**{slot: present.get(slot, Absent(slot)) for slot in slots})
    Invoker(services)  # starts every service that wants to know the others
    return services
