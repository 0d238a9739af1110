"""What our pages say, in each language that they speak."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from invokeai_saas.languages import LANGUAGES, Language, preferred
from invokeai_saas.portal import texts_account, texts_keeping, texts_models, texts_site

LANGUAGE_COOKIE = "invokeai_saas_lang"


def named_language(request: Request) -> Language | None:
    """The language that `?lang=` names, as links of mails and of our pages do."""
    return _known(request.query_params.get("lang"))


def page_language(request: Request) -> Language:
    """The language that the address names; else the one chosen before; else the browser's."""
    chosen = named_language(request) or _known(request.cookies.get(LANGUAGE_COOKIE))
    return chosen or preferred(request.headers.get("accept-language"))


def _known(name: str | None) -> Language | None:
    return next((language for language in LANGUAGES if language == name), None)


# Of the pages that links of mails lead to, and of forms.
_EN = {
    "language_name": "English",
    "sign_in": "Sign in",
    "back_to_sign_in": "Back to sign-in",
    "needs_javascript": "This page needs JavaScript, as the studio does.",
    "link_invalid": "This link has been used already, or it is too old.",
    "rate_limited": "That was asked for too often. Please wait a while and try again.",
    "unavailable": "The service cannot be reached right now. Please try again.",
    "forgot_title": "Forgot your password?",
    "forgot_lead": "Enter the address of your account. We send you a link to choose a new password.",
    "email": "E-mail",
    "email_missing": "Enter your e-mail address.",
    "forgot_send": "Send the link",
    "forgot_done": "If there is an account with this address, a mail with a link is on its way. "
    "It can take a few minutes. Look among the unwanted mail as well.",
    "reset_title": "Choose a new password",
    "reset_lead": "You will be logged out everywhere.",
    "password": "New password",
    "rule_length": "{shortest} characters or more",
    "rule_upper": "an upper-case letter",
    "rule_lower": "a lower-case letter",
    "rule_digit": "a digit",
    "password_weak": "Choose a password that meets all four rules.",
    "reset_send": "Set the password",
    "reset_done": "Your password has been changed.",
    "ask_again": "Ask for a new link",
    "code": "Code",
    "code_lead": "Enter the code that we have sent you.",
    "code_missing": "Enter the code from the mail.",
    "code_invalid": "This code is not right, or it is too old. Ask for a new one.",
    "code_sent": "If there is an account with this address, a mail with a code is on its way. "
    "It can take a few minutes. Look among the unwanted mail as well.",
    "code_enter": "Enter the code",
    "verify_send": "Confirm",
    "verify_title": "Confirm your address",
    "verify_busy": "One moment, please.",
    "verify_done": "Your address is confirmed. Thank you.",
    "verify_again": "If you confirmed your address before, there is nothing left to do. "
    "Otherwise, your account page sends you a new link.",
    "open_studio": "Open the studio",
    "open_account": "Open my account",
}
_KO = {
    "language_name": "한국어",
    "sign_in": "로그인",
    "back_to_sign_in": "로그인으로 돌아가기",
    "needs_javascript": "스튜디오와 마찬가지로 이 페이지에는 JavaScript가 필요합니다.",
    "link_invalid": "이미 사용되었거나 기한이 지난 링크입니다.",
    "rate_limited": "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.",
    "unavailable": "지금은 서비스에 연결할 수 없습니다. 다시 시도해 주세요.",
    "forgot_title": "비밀번호를 잊으셨나요?",
    "forgot_lead": "계정의 이메일 주소를 입력하시면 새 비밀번호를 설정할 수 있는 링크를 보내 드립니다.",
    "email": "이메일",
    "email_missing": "이메일 주소를 입력해 주세요.",
    "forgot_send": "링크 보내기",
    "forgot_done": "이 주소로 가입된 계정이 있다면 링크가 담긴 메일을 보내 드립니다. "
    "몇 분 정도 걸릴 수 있습니다. 스팸 메일함도 확인해 주세요.",
    "reset_title": "새 비밀번호 설정",
    "reset_lead": "모든 기기에서 로그아웃됩니다.",
    "password": "새 비밀번호",
    "rule_length": "{shortest}자 이상",
    "rule_upper": "영문 대문자",
    "rule_lower": "영문 소문자",
    "rule_digit": "숫자",
    "password_weak": "네 가지 조건을 모두 만족하는 비밀번호를 입력해 주세요.",
    "reset_send": "비밀번호 변경",
    "reset_done": "비밀번호가 변경되었습니다.",
    "ask_again": "새 링크 요청",
    "code": "코드",
    "code_lead": "메일로 받은 코드를 입력해 주세요.",
    "code_missing": "메일에 있는 코드를 입력해 주세요.",
    "code_invalid": "코드가 올바르지 않거나 기한이 지났습니다. 새 코드를 요청해 주세요.",
    "code_sent": "이 주소로 가입된 계정이 있다면 코드가 담긴 메일을 보내 드립니다. "
    "몇 분 정도 걸릴 수 있습니다. 스팸 메일함도 확인해 주세요.",
    "code_enter": "코드 입력",
    "verify_send": "확인",
    "verify_title": "이메일 주소 확인",
    "verify_busy": "잠시만 기다려 주세요.",
    "verify_done": "이메일 주소가 확인되었습니다. 감사합니다.",
    "verify_again": "이전에 이미 확인하셨다면 더 하실 일은 없습니다. "
    "그렇지 않다면 계정 페이지에서 새 링크를 받을 수 있습니다.",
    "open_studio": "스튜디오 열기",
    "open_account": "내 계정 열기",
}
# What the scripts of the pages that mails lead to say.
RECOVERY_TEXTS: Mapping[Language, Mapping[str, str]] = {"en": _EN, "ko": _KO}


def _of_account(
    site: Mapping[str, str], forms: Mapping[str, str], *own: Mapping[str, str]
) -> Mapping[str, str]:
    shared = {name: text for name, text in site.items() if name.startswith(("tier_", "model_"))}
    shared["password_weak"] = forms["password_weak"]
    return {name: text for texts in (shared, *own) for name, text in texts.items()}


# What the account page's scripts say.
ACCOUNT_TEXTS: Mapping[Language, Mapping[str, str]] = {
    "en": _of_account(texts_site.EN, _EN, texts_account.EN, texts_keeping.EN, texts_models.EN),
    "ko": _of_account(texts_site.KO, _KO, texts_account.KO, texts_keeping.KO, texts_models.KO),
}
# What the sign-up form's script says.
_SIGN_UP = ("email_missing", "email_wrong", "email_taken", "password_weak", "rate_limited", "unavailable")
SIGN_UP_TEXTS: Mapping[Language, Mapping[str, str]] = {
    "en": {name: ({**texts_site.EN, **_EN})[name] for name in _SIGN_UP},
    "ko": {name: ({**texts_site.KO, **_KO})[name] for name in _SIGN_UP},
}
# All of them, for templates. No name stands in two of the parts.
TEXTS: Mapping[Language, Mapping[str, str]] = {
    "en": {**texts_site.EN, **ACCOUNT_TEXTS["en"], **_EN},
    "ko": {**texts_site.KO, **ACCOUNT_TEXTS["ko"], **_KO},
}
