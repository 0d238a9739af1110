"""Forms by which staff act. Each leads back to the page on which its outcome is seen."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Path, Response
from starlette.responses import RedirectResponse

from invokeai_saas.admin import acts
from invokeai_saas.admin.schemas import (
    AgreedPlanForm,
    CreditsForm,
    PackForm,
    PlanForm,
    Reasoned,
    TesterForm,
)
from invokeai_saas.identity.access import Shared
from invokeai_saas.identity.staff.access import Acting
from invokeai_saas.portal.staff import StaffRoute

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=StaffRoute)
Because = Annotated[Reasoned, Form()]


def _back(path: str, done: str) -> Response:
    return RedirectResponse(f"/admin/{path}?done={done}", status_code=303)


@router.post("/people/{user_id}/credits")
async def give_credits(
    user_id: UUID, person: Acting, shared: Shared, form: Annotated[CreditsForm, Form()]
) -> Response:
    await acts.give_credits(shared, person.db, user_id, form)
    return _back(f"people/{user_id}", "credits")


@router.post("/people/{user_id}/tester")
async def grant_tester(
    user_id: UUID, person: Acting, shared: Shared, form: Annotated[TesterForm, Form()]
) -> Response:
    await acts.grant_tester(shared, person.db, user_id, form)
    return _back(f"people/{user_id}", "tester")


@router.post("/people/{user_id}/tester/{grant}/revoke")
async def revoke_tester(
    user_id: UUID, grant: UUID, person: Acting, shared: Shared, form: Because
) -> Response:
    await acts.revoke_tester(shared, person.db, user_id, grant, form)
    return _back(f"people/{user_id}", "revoked")


@router.post("/people/{user_id}/plan")
async def set_agreed_plan(
    user_id: UUID, person: Acting, shared: Shared, form: Annotated[AgreedPlanForm, Form()]
) -> Response:
    await acts.set_agreed_plan(shared, person.db, user_id, form)
    return _back(f"people/{user_id}", "plan")


@router.post("/people/{user_id}/plan/end")
async def end_agreed_plan(user_id: UUID, person: Acting, shared: Shared, form: Because) -> Response:
    await acts.end_agreed_plan(shared, person.db, user_id, form)
    return _back(f"people/{user_id}", "ended")


@router.post("/people/{user_id}/block")
async def block(user_id: UUID, person: Acting, shared: Shared, form: Because) -> Response:
    await acts.block(shared, person.db, user_id, form)
    return _back(f"people/{user_id}", "blocked")


@router.post("/people/{user_id}/unblock")
async def unblock(user_id: UUID, person: Acting, form: Because) -> Response:
    await acts.unblock(person.db, user_id, form)
    return _back(f"people/{user_id}", "unblocked")


@router.post("/plans/{plan}")
async def edit_plan(plan: UUID, person: Acting, form: Annotated[PlanForm, Form()]) -> Response:
    await acts.edit_plan(person.db, plan, form)
    return _back("plans", "saved")


@router.post("/packs/{slug}")
async def edit_pack(slug: str, person: Acting, form: Annotated[PackForm, Form()]) -> Response:
    await acts.edit_pack(person.db, slug, form)
    return _back("plans", "saved")


@router.post("/jobs/{item}/cancel")
async def cancel_job(
    item: Annotated[int, Path(ge=0, lt=2**53)], person: Acting, shared: Shared, form: Because
) -> Response:
    await acts.cancel_job(shared, person.db, item, form)
    return _back("jobs", "cancelled")


@router.post("/webhooks/{event}/replay")
async def replay_event(event: str, person: Acting, form: Because) -> Response:
    await acts.replay_event(person.db, event, form)
    return _back("webhooks", "replayed")
