"""The engine itself: runs one job's graph, tells of it, and answers how it ended."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter, defaultdict
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from PIL import Image

from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.errors import ServiceError, Unavailable
from invokeai_saas.settings import get_settings
from invokeai_saas.worker.contract import ClaimedJob, JobContext, ModelRecord, Outcome, image_name_for
from invokeai_saas.worker.mock.answers import Answers
from invokeai_saas.worker.mock.drawing import preview
from invokeai_saas.worker.mock.models import convert, identify
from invokeai_saas.worker.mock.plan import Path, Plan
from invokeai_saas.worker.mock.studio import Studio
from invokeai_saas.worker.mock.values import ANSWERS
from invokeai_saas.worker.noderules import problem

MAX_RUN_NODES = 5_000  # of one job, iterated ones counted each time
_JOBS_OWN = (ServiceError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, IndexError)


class MockEngine:
    """Draws instead of inferring.

    Parameters:
        step_seconds: how long one denoising step takes.
        node_seconds: how long any node takes at least.
        nodes: InvokeAI's exported node schemas; the installed ones when not given.
    """

    name = "mock"

    def __init__(
        self, step_seconds: float, nodes: NodeCatalog | None = None, *, node_seconds: float = 0.0
    ) -> None:
        self._pace = _Pace(step_seconds, node_seconds)
        self._answers = Answers(nodes or NodeCatalog(get_settings().node_schemas))
        self._loaded: list[str] = []

    def warm_up(self) -> None:
        """There is nothing to warm up."""

    def loaded_models(self) -> list[str]:
        return list(self._loaded)

    def identify(self, path: FilePath, logical_path: str, said: dict[str, Any]) -> ModelRecord:
        """What a model is; see `models.identify`."""
        return identify(path, logical_path, said)

    def convert(self, path: FilePath, record: ModelRecord, target: FilePath) -> None:
        """Writes a folder; see `models.convert`."""
        del record  # says what the real engine's scheduler must know
        convert(path, target)

    def run(self, job: ClaimedJob, context: JobContext, cancel: threading.Event) -> Outcome:
        run = _Run(job, context, cancel, self._pace, self._answers)
        try:
            self._loaded = run.load_models() or self._loaded
            finished = run.nodes()
        except Unavailable:
            raise
        except _JOBS_OWN as error:
            run.tell_error(error)
            return Outcome(
                "failed", run.session(), type(error).__name__, str(error), "", run.node_seconds, self._loaded
            )
        return Outcome(
            "completed" if finished else "canceled",
            run.session(),
            node_seconds=run.node_seconds,
            models_loaded=self._loaded,
        )


class _Pace(NamedTuple):
    """Seconds."""

    step: float
    node: float


class _Run:
    """One job."""

    def __init__(
        self,
        job: ClaimedJob,
        context: JobContext,
        cancel: threading.Event,
        pace: _Pace,
        answers: Answers,
    ) -> None:
        self.node_seconds: defaultdict[str, float] = defaultdict(float)
        self._job = job
        self._context = context
        self._cancel = cancel
        self._pace = pace
        self._answers = answers
        self._plan = Plan.of(job.graph)
        self._studio = Studio(context.load_image)
        self._saved: Counter[tuple[str, Path]] = Counter()
        self._prepared: dict[str, str] = {}  # each run of a node has an id of its own
        self._paths: dict[str, Path] = {}
        self._results: dict[str, dict[str, Any]] = {}
        self._errors: dict[str, str] = {}
        self._at: tuple[dict[str, Any], str] | None = None  # the node in hand

    def load_models(self) -> list[str]:
        """Looks the loaders' models up, as the person may see them. Raises NotFound."""
        keys = [
            node["model"]["key"]
            for node in self._plan.nodes.values()
            if node["type"].endswith("model_loader") and isinstance(node.get("model"), dict)
        ]
        for key in keys:
            self._context.models().get(key)
        return keys

    def nodes(self) -> bool:
        """Runs every node; false when cancelled."""
        for node_id in self._plan.order():
            answers = self._plan.answers[node_id] = {}
            for path, fields in self._plan.runs(node_id):
                if self._cancel.is_set():
                    return False
                if len(self._prepared) >= MAX_RUN_NODES:
                    raise ValueError(f"A job may run {MAX_RUN_NODES:,} nodes at most.")
                answer = self._node(path, fields)
                if answer is None:
                    return False
                answers[path] = answer
        return True

    def _node(self, path: Path, fields: dict[str, Any]) -> dict[str, Any] | None:
        """Runs a node once; None when cancelled."""
        began = time.perf_counter()
        prepared = str(uuid.uuid4())
        self._prepared[prepared] = fields["id"]
        self._paths[prepared] = path
        self._at = fields, prepared
        self._emit("invocation_started")
        if self._pace.node and self._cancel.wait(self._pace.node):
            return None
        if reason := problem(fields["type"], fields):
            raise ValueError(f"{fields['type']}: {reason}")
        answer = self._denoise(fields) if _denoises(fields) else self._answer(path, fields)
        self.node_seconds[fields["type"]] += time.perf_counter() - began
        if answer is not None:
            self._results[prepared] = answer
            self._emit("invocation_complete", result=answer)
        return answer

    def _answer(self, path: Path, fields: dict[str, Any]) -> dict[str, Any]:
        if self._answers.makes(fields["type"]) == "VideoOutput":
            raise ValueError("The mock engine makes no videos.")
        if self._answers.makes(fields["type"]) == "ImageOutput":
            image = self._studio.picture(fields)
            return self._answers.blank(fields) | self._save(path, fields, image)
        answer = self._answers.blank(fields)
        if compute := ANSWERS.get(fields["type"]):
            answer |= compute(fields)
        answer |= self._studio.remember(fields, answer)
        for name, image in self._studio.pictures_beside(fields):
            answer[name] = self._save(path, fields, image)["image"]
        return answer

    def _denoise(self, fields: dict[str, Any]) -> dict[str, Any] | None:
        image, steps = self._studio.denoised(fields), int(fields["steps"])
        for step in range(steps):
            # Waits as long as a step would take, and wakes at once when cancelled.
            if self._cancel.wait(self._pace.step):
                return None
            part = (step + 1) / steps
            self._emit(
                "invocation_progress",
                message="Denoising",
                percentage=part,
                image=preview(image, part),
                device="mock",
            )
        return self._answers.blank(fields) | self._studio.latents(image)

    def _save(self, path: Path, fields: dict[str, Any], image: Image.Image) -> dict[str, Any]:
        node_id, job = fields["id"], self._job
        index = self._saved[node_id, path]
        self._saved[node_id, path] += 1
        metadata = fields.get("metadata")
        stored = self._context.save_image(
            image,
            image_name=image_name_for(job.name_key, node_id, path, index),
            node_id=node_id,
            session_id=job.session_id,
            image_origin="internal",
            image_category="general",
            is_intermediate=bool(fields.get("is_intermediate", False)),
            board_id=(fields.get("board") or {}).get("board_id"),
            metadata=json.dumps(metadata) if metadata else None,
            workflow=json.dumps(job.workflow) if job.workflow else None,
            graph=json.dumps(job.graph),
        )
        return {"image": {"image_name": stored.image_name}, "width": stored.width, "height": stored.height}

    def tell_error(self, error: Exception) -> None:
        """Notes that the node in hand failed, and tells the person."""
        if self._at is None:
            return
        self._errors[self._at[1]] = str(error)
        self._emit(
            "invocation_error", error_type=type(error).__name__, error_message=str(error), error_traceback=""
        )

    def _emit(self, event: str, **more: Any) -> None:
        assert self._at is not None
        job, (fields, prepared) = self._job, self._at
        self._context.emit(
            event,
            {
                "queue_id": job.queue_id,
                "item_id": job.item_id,
                "batch_id": job.batch_id,
                "origin": job.origin,
                "destination": job.destination,
                "user_id": job.user_id,
                "session_id": job.session_id,
                "invocation": {**fields, "id": prepared},
                "invocation_source_id": fields["id"],
                **more,
            },
        )

    def session(self) -> str:
        """JSON of the execution state, as far as the page reads it."""
        runs: defaultdict[str, list[str]] = defaultdict(list)
        for prepared, node_id in self._prepared.items():
            runs[node_id].append(prepared)
        return json.dumps(
            {
                "id": self._job.session_id,
                "graph": self._job.graph,
                "execution_graph": {"id": self._job.session_id, "nodes": {}, "edges": []},
                "executed": list(self._results),
                "executed_history": [self._prepared[prepared] for prepared in self._results],
                "results": self._results,
                "errors": self._errors,
                "workflow_call_stack": [],
                "workflow_call_history": [],
                "max_workflow_call_depth": 4,
                "prepared_iteration_paths": self._paths,
                "ready_order": [],
                "indegree": {},
                "prepared_source_mapping": self._prepared,
                "source_prepared_mapping": runs,
            }
        )


def _denoises(fields: dict[str, Any]) -> bool:
    return "denoise" in fields["type"] and isinstance(fields.get("steps"), int)
