"""Who may change which model: people their own, under a plan that has such models; our staff the shared ones."""

from __future__ import annotations

from invokeai_saas.billing import gates
from invokeai_saas.catalog import service
from invokeai_saas.catalog.schemas import OwnModels
from invokeai_saas.catalog.tables import Model
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import Forbidden, NotFound
from invokeai_saas.identity.service import Person


def is_staff(person: Person) -> bool:
    return person.role == "admin"


def staff_only() -> Forbidden:
    return Forbidden("This model is on offer to everybody: only our staff can change it.")


async def require_own_models(db: ReadSession | WriteSession, person: Person) -> None:
    """Raises NotInPlan unless the caller's plan has models of one's own. Our staff need no plan for it."""
    if not is_staff(person):
        await gates.require(db, "custom_models")


async def own_models(db: ReadSession, person: Person) -> OwnModels:
    """A person's own models, and what they may do beyond deleting them."""
    staff = is_staff(person)
    may = staff or await gates.includes(db, "custom_models")
    return OwnModels(may_install=may, for_everybody=staff, models=await service.own_models(db))


async def require_changeable(db: WriteSession, person: Person, key: str, *, giving_up: bool = False) -> Model:
    """The model, for who may change it.

    Parameters:
        giving_up: what is asked takes away from one's own. That is allowed under every plan, and after it.

    Raises:
        NotInPlan: the plan has no models of one's own. Said before whether there is such a model.
        NotFound: a model that the person cannot see.
        Forbidden: a shared model, and the person is not of our staff.
    """
    model = (await service.visible_models(db, [key])).get(key)
    own = model is not None and model.user_id is not None
    if not (own and giving_up):
        await require_own_models(db, person)
    if model is None:
        raise NotFound("This model")
    if not own and not is_staff(person):
        raise staff_only()
    return model
