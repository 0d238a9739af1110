"""What plans include and what a request needs of one: the only place that knows both.

A plan's facts are in its row, and the row is asked each time; here stand their names. What queues a batch asks for
itself, under the account's lock: `_plan_includes` in the database says of a row what `has` says here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol, get_args
from uuid import UUID

from invokeai_saas.billing import repository
from invokeai_saas.billing.repository import Session
from invokeai_saas.db.session import Database
from invokeai_saas.errors import NotInPlan

Feature = Literal[
    "sd_models", "flux_models", "custom_models", "node_editor", "third_party_api", "lora_training", "collaboration",
    "api_keys",
]  # fmt: skip
FEATURES: tuple[Feature, ...] = get_args(Feature)

# The tenant of a reader who is nobody yet: no row is theirs, and plans are nobody's rows.
NOBODY = UUID(int=0)
PLAN_ENDED = "You have no plan right now. Your account page says how to go on."

_OF_FAMILY: Mapping[str, Feature] = {"sd": "sd_models", "flux": "flux_models", "custom": "custom_models"}
_COLUMN = {
    "node_editor": "node_editor_access",
    "third_party_api": "third_party_api_access",
    "lora_training": "lora_training",
    "collaboration": "collaboration",
    "api_keys": "api_access",
}
_NAMES: Mapping[Feature, str] = {
    "sd_models": "models of Stable Diffusion",
    "flux_models": "models of FLUX",
    "custom_models": "models of your own",
    "node_editor": "the node editor",
    "third_party_api": "nodes that call other companies' services",
    "lora_training": "training of LoRAs",
    "collaboration": "collaboration",
    "api_keys": "API keys",
}
_OTHERWISE_SAID: Mapping[Feature, str] = {
    "collaboration": "Sharing is for the people of an organisation whose plan includes collaboration.",
}
# Nodes that a plan must include. InvokeAI has none that trains: the gate stands open for what may come.
NODES: Mapping[Feature, frozenset[str]] = {
    "third_party_api": frozenset(
        {
            "alibabacloud_image_generation",
            "gemini_image_generation",
            "openai_image_generation",
            "seedream_image_generation",
        }
    ),
    "lora_training": frozenset(),
}


class Plan(Protocol):
    """What is read of a plan's row, or of what is told of it."""

    @property
    def model_access(self) -> list[str]: ...


def has(plan: Plan, feature: Feature) -> bool:
    """Whether a plan includes something."""
    if feature in _COLUMN:
        return bool(getattr(plan, _COLUMN[feature]))
    return any(_OF_FAMILY.get(family) == feature for family in plan.model_access)


def included(plan: Plan) -> list[Feature]:
    """All that a plan includes."""
    return [feature for feature in FEATURES if has(plan, feature)]


def of_families(families: Iterable[str]) -> set[Feature]:
    """What models of these families (sd, flux, custom) need."""
    return {_OF_FAMILY[family] for family in families}


def of_nodes(graph: Mapping[str, Any]) -> set[Feature]:
    """What the nodes of a graph need. Parameters: graph: as it came, nothing of it checked."""
    nodes = graph.get("nodes")
    found = nodes.values() if isinstance(nodes, dict) else ()
    types = {node["type"] for node in found if isinstance(node, dict) and isinstance(node.get("type"), str)}
    return {feature for feature, of_feature in NODES.items() if of_feature & types}


def of_workflow(workflow: Mapping[str, Any] | None) -> set[Feature]:
    """What a batch needs by the way it was made: the page sends the workflow along from its node editor alone."""
    return {"node_editor"} if workflow is not None else set()


async def refusal(db: Session, feature: Feature, named: str | None = None) -> NotInPlan:
    """What is said to who has no plan with something: which plans on offer have it.

    Parameters:
        named: what they asked for, where the feature's own name would not tell.
    """
    offered = [plan.slug for plan in await repository.offered_plans(db) if has(plan, feature)]
    said = _OTHERWISE_SAID.get(feature, f"Your plan does not include {named or _NAMES[feature]}.")
    offer = f" These plans do: {', '.join(offered)}." if offered else ""
    return NotInPlan(feature, offered, said + offer)


async def refusal_now(database: Database, feature: Feature, named: str | None = None) -> NotInPlan:
    """The same in a transaction of its own: the one that was refused has ended, or there was none."""
    async with database.read(NOBODY) as db:
        return await refusal(db, feature, named)


async def includes(db: Session, feature: Feature) -> bool:
    """Whether the caller's plan has something; false for who has none."""
    standing = await repository.standing(db)
    return standing is not None and has(standing.plan, feature)


async def require(db: Session, *features: Feature) -> None:
    """Refuses a caller whose plan lacks one of these, or who has none.

    Raises:
        NotInPlan: names the first that is missing, and the plans on offer that have it.
    """
    standing = await repository.standing(db)
    for feature in features:
        if standing is None or not has(standing.plan, feature):
            raise await refusal(db, feature)
