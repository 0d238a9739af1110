"""The wire of InvokeAI's workflow library."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from invokeai_saas.settings import MEBIBYTE

MAX_WORKFLOW_BYTES = 2 * MEBIBYTE
MAX_WORKFLOWS = 1000  # of one person
MAX_STORED_BYTES = 64 * MEBIBYTE  # of all of a person's workflows
MAX_NODES = 2000

Category = Literal["user", "default"]
Direction = Literal["ASC", "DESC"]
Order = Literal["created_at", "updated_at", "opened_at", "name", "is_public"]
Tag = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")]
# https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string, shortened
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


class ExposedField(BaseModel):
    nodeId: str  # noqa: N815 - InvokeAI's names
    fieldName: str  # noqa: N815


class WorkflowMeta(BaseModel):
    version: str = Field(max_length=50)
    category: Category

    @field_validator("version")
    @classmethod
    def _is_semantic(cls, version: str) -> str:
        if not _SEMVER.fullmatch(version):
            raise ValueError("A version has the form 1.2.3.")
        return version


class WorkflowWithoutId(BaseModel):
    """A workflow as InvokeAI's page writes it: nodes, edges and form are the page's own, and opaque to us."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(max_length=1000)
    author: str = Field(max_length=1000)
    description: str = Field(max_length=10_000)
    version: str = Field(max_length=1000)
    contact: str = Field(max_length=1000)
    tags: str = Field(max_length=2000)
    notes: str
    exposedFields: list[ExposedField]  # noqa: N815
    meta: WorkflowMeta
    nodes: list[dict[str, Any]] = Field(max_length=MAX_NODES)
    edges: list[dict[str, Any]]
    form: dict[str, Any] | None = None

    @field_validator("nodes")
    @classmethod
    def _returns_once(cls, nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if count_returns(nodes) > 1:
            raise ValueError("A workflow may have one workflow_return node at most.")
        return nodes


def count_returns(nodes: list[dict[str, Any]]) -> int:
    """How many nodes give back what a calling workflow would get."""
    data = [node.get("data") for node in nodes if node.get("type") == "invocation"]
    return sum(isinstance(part, dict) and part.get("type") == "workflow_return" for part in data)


class Workflow(WorkflowWithoutId):
    id: str


class WorkflowRecord(BaseModel):
    """Parameters: user_id: "system" of those that InvokeAI ships."""

    workflow_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    opened_at: datetime | None
    user_id: str
    is_public: bool
    workflow: Workflow


class Compatibility(BaseModel):
    """Whether another workflow may call this one; InvokeAI's name for it."""

    is_callable: bool = False
    reason: Literal["missing_workflow_return", "unsupported_node"]
    message: str


class WorkflowRecordWithThumbnail(WorkflowRecord):
    thumbnail_url: str | None
    call_saved_workflow_compatibility: Compatibility


class WorkflowListItem(BaseModel):
    workflow_id: str
    name: str
    description: str
    category: Category
    tags: str
    created_at: datetime
    updated_at: datetime
    opened_at: datetime | None
    user_id: str
    is_public: bool
    thumbnail_url: str | None
    call_saved_workflow_compatibility: Compatibility


class WorkflowPage(BaseModel):
    page: int
    pages: int
    per_page: int
    total: int
    items: list[WorkflowListItem]


class Filter(BaseModel):
    """What lists and counts have in common. None leaves a property open."""

    categories: Annotated[list[Category] | None, Query(max_length=10)] = None
    is_public: bool | None = None


class OpenedFilter(Filter):
    has_been_opened: bool | None = None


class Listing(OpenedFilter):
    """Parameters: per_page: 0, or left out, for all; query: looked for in name, description and tags."""

    page: int = Field(default=0, ge=0, le=2**31 - 1)
    per_page: int | None = Field(default=None, ge=0, le=1000)
    order_by: Order = "name"
    direction: Direction = "ASC"
    tags: Annotated[list[Tag] | None, Query(max_length=100)] = None
    query: str | None = Field(default=None, max_length=1000, pattern=r"^[^\x00]*$")
    callable: bool | None = None


class CategoryCounts(OpenedFilter):
    categories: Annotated[list[Category], Query(max_length=10)]


class TagCounts(OpenedFilter):
    tags: Annotated[list[Tag], Query(max_length=1000)]
