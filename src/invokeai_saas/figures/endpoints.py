"""Pages on which staff see how the business goes: `/admin`, and `/admin/margins`."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from invokeai_saas.figures import service, showing
from invokeai_saas.identity.staff.access import AtWork
from invokeai_saas.portal.staff import StaffRoute, staff_page

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=StaffRoute)


@router.get("")
async def dashboard(request: Request, person: AtWork) -> Response:
    found = await service.dashboard(person.db, datetime.now(UTC))
    return staff_page(
        "figures.html",
        request,
        who=person,
        found=found,
        charts=showing.charts(found),
        dollars=showing.dollars,
        percent=showing.percent,
        hours=showing.hours,
    )


@router.get("/margins")
async def margins(
    request: Request,
    person: AtWork,
    utilisation: Annotated[int, Query(ge=1, le=100, description="Per cent.")] = 50,
) -> Response:
    found = await service.margin_report(person.db, datetime.now(UTC), Decimal(utilisation) / 100)
    return staff_page(
        "margins.html",
        request,
        who=person,
        found=found,
        utilisation=utilisation,
        sales=showing.sales(found),
        dollars=showing.dollars,
        percent=showing.percent,
        hours=showing.hours,
    )
