"""A batch: one graph, and how its values vary from job to job.

The groups of `data` are combined as a product (the last one varies fastest), the data within a group are zipped,
and the whole is repeated `runs` times: InvokeAI's own rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

from invokeai_saas.errors import InvalidInput


class ImageRef(BaseModel):
    """A picture as a batch value."""

    model_config = ConfigDict(extra="ignore")
    image_name: str = Field(max_length=255)


class VideoRef(BaseModel):
    """A video as a batch value."""

    model_config = ConfigDict(extra="ignore")
    video_name: str = Field(max_length=255)


BatchValue = StrictStr | StrictInt | StrictFloat | ImageRef | VideoRef
BatchItem = BatchValue | list[BatchValue]


class BatchDatum(BaseModel):
    """The values that one field of one node takes."""

    node_path: str
    field_name: str
    items: list[BatchItem] = Field(default_factory=list)


class Batch(BaseModel):
    """InvokeAI's Batch as it comes over the wire."""

    model_config = ConfigDict(extra="ignore")

    batch_id: str | None = Field(default=None, max_length=255)
    origin: str | None = Field(default=None, max_length=255)
    destination: str | None = Field(default=None, max_length=255)
    data: list[list[BatchDatum]] | None = None
    graph: dict[str, Any]
    workflow: dict[str, Any] | None = None
    runs: int = Field(default=1, ge=1, le=1_000_000)


class EnqueueRequest(BaseModel):
    """Body of POST enqueue_batch."""

    batch: Batch
    prepend: bool = False


class FieldValue(BaseModel):
    """A value that one job's graph gets in one field."""

    node_path: str
    field_name: str
    value: BatchItem


class EnqueueResult(BaseModel):
    """What InvokeAI answers: newest item first."""

    queue_id: str
    enqueued: int
    requested: int
    batch: dict[str, Any]
    priority: int
    item_ids: list[int]


def _kind(item: BatchItem) -> type:
    """Numbers may mix, other kinds may not."""
    return float if isinstance(item, int | float) else type(item)


def check_data(batch: Batch) -> None:
    """Refuses data that cannot be combined.

    Raises:
        InvalidInput: names `batch.data` and says which rule is broken.
    """
    seen: set[tuple[str, str]] = set()
    for group in batch.data or []:
        lengths = {len(datum.items) for datum in group}
        if len(lengths) > 1:
            raise InvalidInput(("batch", "data"), "Zipped batch items must all have the same length")
        for datum in group:
            place = (datum.node_path, datum.field_name)
            if place in seen:
                raise InvalidInput(
                    ("batch", "data"), "Each batch data must have unique node_id and field_name"
                )
            seen.add(place)
            if len({_kind(item) for item in datum.items}) > 1:
                raise InvalidInput(("batch", "data"), "All items in a batch must have the same type")


def count_jobs(batch: Batch) -> int:
    """How many jobs a checked batch makes, without making them."""
    return batch.runs * prod(len(group[0].items) if group else 0 for group in batch.data or [])


def expand(batch: Batch) -> Iterator[list[FieldValue]]:
    """The field values of each job, in order. The batch must have passed `check_data`."""
    if not count_jobs(batch):
        return
    groups = [
        [
            [
                FieldValue(node_path=d.node_path, field_name=d.field_name, value=item)
                for d, item in zip(g, row, strict=True)
            ]
            for row in zip(*(datum.items for datum in g), strict=True)
        ]
        for g in batch.data or []
    ]
    for _ in range(batch.runs):
        for combination in product(*groups):
            yield [value for group in combination for value in group]


def apply_values(graph: dict[str, Any], values: list[dict[str, Any]] | None) -> dict[str, Any]:
    """A job's own graph: the batch's with this job's values put in. The batch's graph stays as it is.

    Parameters:
        graph: InvokeAI graph JSON.
        values: [{node_path, field_name, value}].
    """
    if not values:
        return graph
    nodes = dict(graph["nodes"])
    for value in values:
        nodes[value["node_path"]] = {**nodes[value["node_path"]], value["field_name"]: value["value"]}
    return {**graph, "nodes": nodes}


def parse_batch_id(value: str | None) -> UUID | None:
    """A client's batch id when it is a UUID; anything else is replaced by one of ours."""
    try:
        return UUID(value) if value else None
    except ValueError:
        return None
