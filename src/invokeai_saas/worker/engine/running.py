"""The one job that the engine has in hand.

InvokeAI's services are built once and live as long as the process; all that belongs to a job hangs on its
`Run`, which the services find at the `Desk`. When the job ends the run goes, and its tensors, names and
context with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from invokeai.app.services.session_queue.session_queue_common import SessionQueueItem

from invokeai_saas.errors import Unavailable
from invokeai_saas.worker.contract import ClaimedJob, JobContext, image_name_for


@dataclass
class Run:
    """What one job leaves in the engine while it runs.

    Parameters:
        item: InvokeAI's view of the job; holds the session, the status and the error.
        objects: tensors and conditioning by name; another run's names mean nothing here.
        node_seconds: wall seconds by node type.
        interrupted: set when the context reported that a backing service is away.
        weight: of all that its nodes got and gave so far (see `noderules.weigh`).
    """

    job: ClaimedJob
    context: JobContext
    item: SessionQueueItem
    objects: dict[str, Any] = field(default_factory=dict)
    node_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    interrupted: Unavailable | None = None
    weight: int = 0
    _saved: Counter[tuple[str, tuple[int, ...]]] = field(default_factory=Counter)

    def next_name(self, prepared_node_id: str, suffix: str = ".png") -> str:
        """The name of the next picture or video of a node, counted per node of the person's graph and iteration.

        Parameters:
            prepared_node_id: id of the copy that the engine made of the node to execute it.
        """
        session = self.item.session
        node_id = session.prepared_source_mapping[prepared_node_id]
        iteration = session._get_iteration_path(prepared_node_id)
        index = self._saved[node_id, iteration]
        self._saved[node_id, iteration] += 1
        return image_name_for(self.job.name_key, node_id, iteration, index, suffix)

    @contextmanager
    def outside(self) -> Iterator[JobContext]:
        """The context. Notes when it says that a service is away, which InvokeAI takes for a failed node."""
        try:
            yield self.context
        except Unavailable as error:
            self.interrupted = error
            raise


class Desk:
    """Where the services find the run in hand. There is at most one: an engine has one thread."""

    def __init__(self) -> None:
        self._run: Run | None = None

    @property
    def run(self) -> Run:
        """Raises RuntimeError between jobs."""
        if self._run is None:
            raise RuntimeError("No job is running.")
        return self._run

    @contextmanager
    def serving(self, run: Run) -> Iterator[None]:
        """Put a run on the desk, and clear the desk whatever happens."""
        if self._run is not None:
            raise RuntimeError("A job is running already.")
        self._run = run
        try:
            yield
        finally:
            run.objects.clear()
            self._run = None
