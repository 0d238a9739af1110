"""Keeps one job from taking more of its worker than a job may: checks each node before it runs, and what it gave.

What a graph states is checked at the border. Here come the values that arrived along edges, and the number of copies
that iterators make of the nodes behind them.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from invokeai.app.invocations.baseinvocation import BaseInvocation, BaseInvocationOutput
from invokeai.app.invocations.primitives import StringCollectionOutput
from invokeai.app.invocations.prompt import DynamicPromptInvocation
from invokeai.app.services.shared import graph as invokeai_graph
from typing_extensions import override

from invokeai_saas.errors import NotFound
from invokeai_saas.studio.prompts import expand
from invokeai_saas.studio.schemas import DynamicPromptsRequest
from invokeai_saas.worker.engine.running import Desk
from invokeai_saas.worker.noderules import Size, TooMuch, problem, weigh

MAX_RUN_NODES = 5_000  # of one job, iterated ones counted each time
MAX_RUN_WEIGHT = 20_000_000  # characters and elements
_LATENT_SCALE = 8  # pixels per latent, each way


class NodeNotAllowed(ValueError):
    """A node whose inputs, as they came out, are not for a shared worker."""


class BoundedMaterializer(invokeai_graph._ExecutionMaterializer):  # type: ignore[misc]
    """Makes the copies of nodes that run. Two iterators of 10,000 each would ask for 10^8, before anything runs."""

    @override
    def create_execution_node(
        self,
        node_id: str,
        iteration_node_map: list[tuple[str, str]],
        iteration_path: tuple[int, ...] | None = None,
    ) -> list[str]:
        node = self._state.graph.get_node(node_id)
        more = len(self._get_new_node_iterations(node, node_id, iteration_node_map))
        if len(self._state.execution_graph.nodes) + more > MAX_RUN_NODES:
            raise TooMuch(f"A job may run {MAX_RUN_NODES:,} nodes at most, repeated ones counted each time.")
        made: list[str] = super().create_execution_node(node_id, iteration_node_map, iteration_path)
        return made


@wraps(
    DynamicPromptInvocation.invoke
)  # for its signature, from which the schema of the node's output is read
def dynamic_prompts(node: DynamicPromptInvocation, _: object) -> StringCollectionOutput:
    """The prompts that one stands for, as the page previews them.

    The library that InvokeAI's own node calls lists combinations without end for some prompts.
    """
    wanted = DynamicPromptsRequest(
        prompt=node.prompt, max_prompts=max(1, node.max_prompts), combinatorial=node.combinatorial
    )
    found = expand(wanted)
    if found.error:
        raise ValueError(found.error)
    return StringCollectionOutput(collection=found.prompts)


def install_bounds() -> None:
    """Has InvokeAI use what is bounded here from now on, in this process."""
    invokeai_graph._ExecutionMaterializer = BoundedMaterializer
    DynamicPromptInvocation.invoke = dynamic_prompts


class Guard:
    """Callbacks of InvokeAI's session runner. What they raise fails the node, and with it the job."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def before(self, *, invocation: BaseInvocation, **_: object) -> None:
        """Raises NodeNotAllowed, or TooMuch."""
        node_type, values = invocation.get_type(), vars(invocation)
        reason = problem(node_type, values, self._size_of)
        if reason:
            raise NodeNotAllowed(f"{node_type}: {reason}")
        self._count(values)

    def after(self, *, output: BaseInvocationOutput, **_: object) -> None:
        """Raises TooMuch."""
        self._count(output)

    def _count(self, values: Any) -> None:
        """What nodes get and give is all kept with the session: in memory now, in the database later."""
        run = self._desk.run
        run.weight += weigh(values)
        if run.weight > MAX_RUN_WEIGHT:
            raise TooMuch("What this job's nodes get and give is too large all together.")

    def _size_of(self, value: Any) -> Size | None:
        run = self._desk.run
        if name := getattr(value, "image_name", None):
            try:
                with run.outside() as context:
                    record = context.image_record(name)
            except NotFound:  # the node says so itself
                return None
            return record.width, record.height
        shape: tuple[int, ...] = getattr(run.objects.get(getattr(value, "latents_name", "")), "shape", ())
        return (shape[-1] * _LATENT_SCALE, shape[-2] * _LATENT_SCALE) if len(shape) >= 2 else None
