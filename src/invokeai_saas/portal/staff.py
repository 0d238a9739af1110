"""Pages for our staff: forms that a browser sends by itself, no script at all, and errors as pages too.

They are under a policy of their own: what customers' pages forbid (sending forms) they need, what those need (scripts)
they forbid. Nothing of them is kept by a browser.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from invokeai_saas.errors import InvalidInput, ServiceError, Unauthenticated

LOG_IN = "/admin/login"
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


class NavigationEntry(NamedTuple):
    """A page in the bar on top of all of them."""

    path: str
    title: str


# In the order of the bar.
NAVIGATION = [
    NavigationEntry("/admin", "Figures"),
    NavigationEntry("/admin/margins", "Margins"),
    NavigationEntry("/admin/people", "People"),
    NavigationEntry("/admin/plans", "Plans"),
    NavigationEntry("/admin/payments", "Payments"),
    NavigationEntry("/admin/jobs", "Jobs"),
    NavigationEntry("/admin/workers", "Workers"),
    NavigationEntry("/admin/webhooks", "Webhooks"),
    NavigationEntry("/admin/audit", "Audit log"),
]


def _moment(value: datetime | None) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if value else "–"


def _day(value: datetime | None) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d") if value else "–"


def _number(value: float | Decimal | None, unlimited: str = "no limit") -> str:
    return unlimited if value is None else f"{value:,}"


def _usd(value: Decimal | None, missing: str = "agreed on") -> str:
    return missing if value is None else f"${value:,.2f}"


def _size(value: int | None) -> str:
    return "–" if value is None else f"{value / 2**30:,.2f} GB"


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals["new_key"] = uuid4  # names what a form makes, so that sending it twice makes it once
_templates.filters |= {"moment": _moment, "day": _day, "number": _number, "usd": _usd, "size": _size}


def staff_page(
    template: str, request: Request, *, status: int = 200, who: Any = None, **context: object
) -> HTMLResponse:
    """One of the pages.

    Parameters:
        template: its file name below templates/admin/.
        who: the person at work, as `identity.staff.access.Staff`; None where nobody is.
        context: what it speaks of.
    """
    html = _templates.get_template(f"admin/{template}").render(
        **context, who=who, navigation=NAVIGATION, path=request.url.path
    )
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(html, status_code=status, headers=headers)


class StaffRoute(APIRoute):
    """A route whose errors are pages. Who is not logged in is led to the log-in, if they only wanted to look."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def answer_with_pages(request: Request) -> Response:
            try:
                return await answer(request)
            except Unauthenticated as error:
                if request.method in ("GET", "HEAD"):
                    return RedirectResponse(LOG_IN, status_code=303)
                return _error_page(request, error.status, [error.message])
            except InvalidInput as error:
                return _error_page(
                    request, error.status, [f"{'.'.join(map(str, error.field))}: {error.message}"]
                )
            except ServiceError as error:
                page = _error_page(request, error.status, [error.message])
                page.headers.update(error.headers())
                return page
            except RequestValidationError as error:
                said = [f"{e['loc'][-1]}: {e['msg']}" for e in error.errors()[:20]]
                return _error_page(request, 422, said)

        return answer_with_pages


def _error_page(request: Request, status: int, messages: list[str]) -> HTMLResponse:
    whole = [message.encode(errors="replace").decode() for message in messages]
    return staff_page("error.html", request, status=status, messages=whole)
