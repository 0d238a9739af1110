"""The engine that makes pictures: InvokeAI's nodes, in our process, one job at a time."""

from __future__ import annotations

import gc
import logging
import threading
import traceback
from pathlib import Path
from typing import Any

import pyparsing
import torch
from invokeai.app.services.session_processor.session_processor_default import DefaultSessionRunner
from invokeai.app.services.session_queue.session_queue_common import SessionQueueItem
from invokeai.app.services.shared.graph import Graph, GraphExecutionState
from invokeai.backend.util.devices import TorchDevice

from invokeai_saas.worker.contract import ClaimedJob, JobContext, ModelRecord, Outcome
from invokeai_saas.worker.engine.checkpoints.conversion import write_folder
from invokeai_saas.worker.engine.guard import Guard, install_bounds
from invokeai_saas.worker.engine.policy import refusals
from invokeai_saas.worker.engine.probe import probe_model
from invokeai_saas.worker.engine.redaction import readable_message, readable_traceback
from invokeai_saas.worker.engine.running import Desk, Run
from invokeai_saas.worker.engine.services import build_services

log = logging.getLogger(__name__)


class InvokeAIEngine:
    """InvokeAI's node engine (see `worker.contract.Engine`).

    Parameters:
        scratch: private folder of this process, empty or its own from before; nothing of a job is kept in it.
    """

    name = "invokeai"

    def __init__(self, scratch: Path) -> None:
        install_bounds()
        self._desk = Desk()
        self._guard = Guard(self._desk)
        self._services = build_services(self._desk, scratch)
        # A full collection walks everything that the imports made and takes half a second. None of it ever
        # goes: move it out of the collector's sight.
        gc.collect()
        gc.freeze()

    def warm_up(self) -> None:
        """Start the device: on a GPU its context and libraries take seconds that no person should wait."""
        device = TorchDevice.choose_torch_device()
        with torch.inference_mode():
            weight = torch.zeros((4, 4, 3, 3), device=device)
            torch.nn.functional.conv2d(torch.zeros((1, 4, 8, 8), device=device), weight)
        if device.type == "cuda":
            torch.cuda.synchronize()

    def loaded_models(self) -> list[str]:
        """Keys of the models whose weights are in memory."""
        return sorted(self._services.model_manager.load.ram_cache.cached_model_keys())

    def identify(self, path: Path, logical_path: str, said: dict[str, Any]) -> ModelRecord:
        """What InvokeAI's model manager makes of a model. Raises InvalidInput."""
        return probe_model(path, logical_path, said)

    def convert(self, path: Path, record: ModelRecord, target: Path) -> None:
        """Writes a single-file checkpoint as diffusers' folder. Raises InvalidInput."""
        write_folder(path, record, target)
        gc.collect()  # gigabytes, held in circles

    def run(self, job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        """Run a job to its end, or to the next step or node after `cancel` is set.

        Raises Unavailable if the context did: the job itself did nothing wrong.
        """
        denied = next(refusals(job.graph), None)
        if denied is not None:
            return self._never_began("NodeNotAllowed", f"{denied.node_type}: {denied.reason}", "")
        try:
            item = _queue_item(job)
        except ValueError as error:  # pydantic's and the graph's own errors are ValueErrors
            return self._never_began(type(error).__name__, str(error), traceback.format_exc())
        run = Run(job=job, context=context, item=item)
        with self._desk.serving(run):
            self._run_nodes(run, cancel)
            if run.interrupted is not None:
                raise run.interrupted
            return self._outcome(run, cancel)

    def _run_nodes(self, run: Run, cancel: threading.Event) -> None:
        runner = DefaultSessionRunner(
            on_before_run_node_callbacks=[self._guard.before], on_after_run_node_callbacks=[self._guard.after]
        )
        runner.start(services=self._services, cancel_event=cancel)
        try:
            runner.run(run.item)
        except Exception as error:  # between nodes: the graph's own bookkeeping
            log.exception("the graph of job %s broke down", run.job.item_id)
            self._services.session_queue.fail_queue_item(
                run.item.item_id, type(error).__name__, str(error), traceback.format_exc()
            )
        finally:
            # The prompt grammar remembers its exceptions, and with them the frames of the last prompt's node.
            pyparsing.ParserElement.reset_cache()
        if run.item.status == "failed":
            TorchDevice.empty_cache()  # after running out of memory the allocator holds on to what it got

    def _outcome(self, run: Run, cancel: threading.Event) -> Outcome:
        item, session = run.item, run.item.session
        session.errors = {node: readable_message(error) for node, error in session.errors.items()}
        if item.status == "in_progress" and not cancel.is_set():
            self._services.session_queue.fail_queue_item(
                item.item_id, "GraphStalled", "The graph stopped before all of its nodes had run.", ""
            )
        failed = item.status == "failed"
        return Outcome(
            status="failed" if failed else "completed" if item.status == "completed" else "canceled",
            session=session.model_dump_json(warnings=False, exclude_none=True),
            error_type=item.error_type if failed else None,
            error_message=readable_message(item.error_message or "") if failed else None,
            error_traceback=readable_traceback(item.error_traceback or "") if failed else None,
            node_seconds=dict(run.node_seconds),
            models_loaded=self.loaded_models(),
        )

    def _never_began(self, error_type: str, message: str, trace: str) -> Outcome:
        return Outcome(
            status="failed",
            session="{}",
            error_type=error_type,
            error_message=readable_message(message),
            error_traceback=readable_traceback(trace),
            models_loaded=self.loaded_models(),
        )


def _queue_item(job: ClaimedJob) -> SessionQueueItem:
    """InvokeAI's queue item for a job. Raises ValueError for a graph that can't be one."""
    session = GraphExecutionState(id=job.session_id, graph=Graph.model_validate(job.graph))
    return SessionQueueItem(
        item_id=job.item_id,
        status="in_progress",
        batch_id=job.batch_id,
        queue_id=job.queue_id,
        session_id=job.session_id,
        session=session,
        user_id=job.user_id,
        origin=job.origin,
        destination=job.destination,
        created_at=job.created_at,
        updated_at=job.created_at,
        started_at=job.created_at,
        completed_at=None,
    )
