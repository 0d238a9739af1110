"""Pages on which staff look at things. What they do there: acts_endpoints.py."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator

from invokeai_saas.admin import service
from invokeai_saas.audit import service as audit
from invokeai_saas.identity.staff.access import AtWork
from invokeai_saas.portal.staff import StaffRoute, staff_page

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=StaffRoute)


def _blank(given: object) -> object:
    return given or None  # an empty field of a search


Text = Annotated[str, Query(max_length=255)]
Blank = BeforeValidator(_blank)
Done = Annotated[str, Query(max_length=20)]
PaymentStatus = Literal["paid", "partly_refunded", "refunded", "disputed"]
EventStatus = Literal["waiting", "applied", "ignored", "failed"]


@router.get("/people")
async def people(request: Request, person: AtWork, q: Text = "", before: UUID | None = None) -> Response:
    found, following = service.page_of(await service.people(person.db, q, before), "id")
    return staff_page("people.html", request, who=person, q=q, people=found, following=following)


@router.get("/people/{user_id}")
async def one_person(request: Request, person: AtWork, user_id: UUID, done: Done = "") -> Response:
    shown = await service.person(person.db, user_id)
    return staff_page("person.html", request, who=person, done=service.DONE.get(done), **shown)


@router.get("/plans")
async def plans(request: Request, person: AtWork, done: Done = "") -> Response:
    shown = await service.plans(person.db)
    return staff_page("plans.html", request, who=person, done=service.DONE.get(done), **shown)


@router.get("/payments")
async def payments(
    request: Request,
    person: AtWork,
    status: Annotated[PaymentStatus | None, Blank, Query()] = None,
    before: UUID | None = None,
) -> Response:
    found, following = service.page_of(await service.payments(person.db, status, before), "id")
    return staff_page("payments.html", request, who=person, payments=found, shown=status, following=following)


@router.get("/jobs")
async def jobs(
    request: Request,
    person: AtWork,
    state: Literal["failed", "completed", "running", "waiting"] = "failed",
    done: Done = "",
) -> Response:
    shown = await service.jobs(person.db, state)
    return staff_page("jobs.html", request, who=person, state=state, done=service.DONE.get(done), **shown)


@router.get("/workers")
async def workers(request: Request, person: AtWork) -> Response:
    return staff_page("workers.html", request, who=person, workers=await service.workers(person.db))


@router.get("/webhooks")
async def webhooks(
    request: Request,
    person: AtWork,
    status: Annotated[EventStatus | None, Blank, Query()] = None,
    before: Annotated[str | None, Query(max_length=255)] = None,
    done: Done = "",
) -> Response:
    found, following = service.page_of(await service.events(person.db, status, before), "id")
    return staff_page(
        "webhooks.html", request, who=person, events=found, shown=status, following=following,
        done=service.DONE.get(done),
    )  # fmt: skip


@router.get("/audit")
async def audit_log(
    request: Request,
    person: AtWork,
    actor: Text = "",
    action: Text = "",
    about: Text = "",
    before: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> Response:
    wanted = audit.Filter(actor.strip() or None, action or None, about.strip() or None, before)
    found, following = service.page_of(await audit.entries(person.db, wanted, service.PAGE + 1), "id")
    return staff_page(
        "audit.html", request, who=person, log=found, wanted=wanted, actions=await audit.actions(person.db),
        following=following,
    )  # fmt: skip
