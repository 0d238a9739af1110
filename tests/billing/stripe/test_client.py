"""What is refused at the start: a local Stripe where people pay, and half a set-up."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from invokeai_saas.billing.stripe.client import check_payments, open_stripe
from invokeai_saas.embedded.stripe.process import load_or_make, serve_local_stripe
from invokeai_saas.errors import SetupError
from invokeai_saas.local import LocalService
from invokeai_saas.settings import Settings

BOTH = {"stripe_secret_key": SecretStr("sk_test_1"), "stripe_webhook_secret": SecretStr("whsec_1")}


def _settings(**changes: object) -> Settings:
    return Settings.model_validate(changes)


def test_neither_is_no_payments() -> None:
    assert open_stripe(_settings()) is None


@pytest.mark.parametrize("name", sorted(BOTH))
def test_half_a_set_up_is_refused(name: str) -> None:
    with pytest.raises(SetupError, match="Only one of"):
        check_payments(_settings(**{name: BOTH[name]}))


def test_a_local_stripe_is_refused_where_people_pay(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="STRIPE_API_BASE"):
        check_payments(_settings(deployment_mode="saas", stripe_api_base="http://127.0.0.1:1", **BOTH))
    with pytest.raises(SetupError, match="moves no money"):
        serve_local_stripe(_settings(deployment_mode="saas", **BOTH), tmp_path, 1, "http://127.0.0.1:2")


@pytest.mark.parametrize(
    ("changes", "own"),
    [({}, True), (BOTH, False), ({"deployment_mode": "saas"}, False)],
    ids=["without a key", "with a key", "where people pay"],
)
def test_when_the_local_one_is_started(tmp_path: Path, changes: dict[str, object], own: bool) -> None:
    service = LocalService(_settings(data_dir=tmp_path, **changes))
    assert service._own_stripe is own


def test_it_is_found_again_where_it_was(tmp_path: Path) -> None:
    first = load_or_make(tmp_path / "stripe")
    assert load_or_make(tmp_path / "stripe") == first
    assert (tmp_path / "stripe" / "stripe.json").stat().st_mode & 0o077 == 0
    assert first.environment()["STRIPE_API_BASE"] == f"http://127.0.0.1:{first.port}"
