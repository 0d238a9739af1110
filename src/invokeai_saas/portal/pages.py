"""How a page of ours is answered: in the reader's language, which is remembered, and in one frame."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from invokeai_saas.errors import RateLimited, ServiceError
from invokeai_saas.languages import Language
from invokeai_saas.portal.own import render
from invokeai_saas.portal.texts import LANGUAGE_COOKIE, TEXTS, named_language, page_language
from invokeai_saas.services import Services

_YEAR = 365 * 86_400  # seconds


def show(request: Request, template: str, status: int = 200, **context: object) -> Response:
    """A page, in the language that its reader chose.

    Parameters:
        template: its file name. It is given `lang`, `t` (all texts of that language) and `languages`, a
            (code, name, address) of each language that this page speaks.
        context: what else it speaks of.
    """
    language = page_language(request)
    answer = render(
        template,
        status=status,
        lang=language,
        t=TEXTS[language],
        languages=[(code, texts["language_name"], _in(request, code)) for code, texts in TEXTS.items()],
        path=request.url.path,
        **context,
    )
    answer.headers["Vary"] = "Accept-Language, Cookie"
    if named_language(request):
        _remember(request, answer, language)
    return answer


def show_error(request: Request, error: ServiceError) -> Response:
    """The page for a refusal, where somebody opened an address rather than a program called one."""
    kind = {404: "not_found", 429: "too_many"}.get(error.status, "away")
    wait = error.retry_after if isinstance(error, RateLimited) else 0
    answer = show(request, "error.html", error.status, kind=kind, wait=wait)
    answer.headers.update(error.headers())
    return answer


def _in(request: Request, language: Language) -> str:
    """This page's address in a language, relative to itself."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return "?" + urlencode([*kept, ("lang", language)])


def _remember(request: Request, answer: Response, language: Language) -> None:
    services: Services = request.app.state.services
    answer.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=_YEAR,
        httponly=False,  # our bar in InvokeAI's page reads it, and it is nobody's secret
        samesite="lax",
        secure=services.settings.secure_cookies,
    )
