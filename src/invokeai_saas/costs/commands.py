"""`invokeai-saas costs ...`: what the service costs, and what it earns on what."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from invokeai_saas.costs import margins as earning
from invokeai_saas.costs import model, printing, saving
from invokeai_saas.costs.prices import load_prices
from invokeai_saas.costs.usage import Environment, load_usages
from invokeai_saas.errors import SetupError
from invokeai_saas.settings import Settings, get_settings

costs = typer.Typer(no_args_is_help=True, help="What the service costs, and what it earns on what.")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]
PlansFile = Annotated[
    Path | None, typer.Option("--plans", help="What `costs plans` printed; otherwise the database's rows.")
]
MAX_USERS = 10_000_000


def _say(text: str) -> None:
    typer.echo(text)


def _say_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, default=str))


def _title(text: str) -> None:
    _say(f"{text}\n")


@costs.command("estimate")
def print_estimate(
    users: Annotated[int | None, typer.Option(min=1, max=MAX_USERS, help="People who come on a day.")] = None,
    environment: Annotated[Environment, typer.Option(help="Which environment.")] = Environment.production,
    as_json: Json = False,
) -> None:
    """A month line by line, beside the deployment guide's estimate where it has one."""
    prices = load_prices()
    found = model.estimate(load_usages(), prices, environment, users)
    if as_json:
        _say_json(printing.estimate_json(found))
        return
    _title(printing.header(prices))
    _say(printing.estimate_text(found))


@costs.command("forecast")
def print_forecast(
    users: Annotated[str, typer.Option(help="Numbers of daily users, comma-separated.")] = "100,1000,10000",
    as_json: Json = False,
) -> None:
    """Production at several sizes."""
    prices = load_prices()
    found = model.forecast(load_usages(), prices, _numbers(users))
    if as_json:
        _say_json([printing.estimate_json(one) for one in found])
        return
    _title(printing.header(prices))
    _say(printing.forecast_text(found))


def _numbers(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(1 <= number <= MAX_USERS for number in found):
        raise SetupError(
            f"{text!r} is no list of numbers of users.",
            f"Name numbers from 1 to {MAX_USERS}: 100,1000,10000.",
        )
    return found


@costs.command("margins")
def print_margins(
    utilisation: Annotated[
        str, typer.Option(help="Share of the time that is paid for in which a GPU works.")
    ] = "0.5",
    plans: PlansFile = None,
    as_json: Json = False,
) -> None:
    """What a credit brings and what its second costs, by plan, pack and tier."""
    share, prices, offers = _share(utilisation), load_prices(), _offers(plans)
    found, given = earning.margins(offers, prices.stripe, share), earning.gifts(offers, share)
    if as_json:
        _say_json(printing.margins_json(offers, found, given, share))
        return
    _title(f"Prices are the rows of plans and tiers; Stripe's fees as of {prices.day}.")
    _title(printing.tiers_text(offers, share))
    _title(printing.margins_text(found))
    _say(printing.gifts_text(given))


def _share(text: str) -> Decimal:
    try:
        share = Decimal(text)
    except InvalidOperation:
        share = Decimal(0)
    if share.is_nan() or not 0 < share <= 1:
        raise SetupError(f"{text!r} is no utilisation.", "Name a share above 0 and up to 1, such as 0.5.")
    return share


@costs.command("plans")
def print_plans() -> None:
    """The rows that `margins` reckons with, for its --plans."""
    _say(_offers(None).model_dump_json(indent=2))


def _offers(file: Path | None) -> earning.Offers:
    """From the file where one is named, from the database otherwise.

    Raises:
        SetupError: the file is not what `costs plans` prints; or there is neither file nor database.
    """
    if file is None:
        from invokeai_saas.costs import repository

        return repository.read_offers(_url(get_settings()))
    try:
        return earning.Offers.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise SetupError(
            f"{file} cannot be read as plans: {error}", "`costs plans` prints such a file."
        ) from error


def _url(settings: Settings) -> str:
    """DATABASE_URL, or the database of the service that runs on this machine."""
    given = settings.database_url.get_secret_value()
    if given:
        from sqlalchemy import make_url

        return make_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
    from invokeai_saas.local import owner_url

    try:
        return owner_url(settings)
    except SetupError as error:
        raise SetupError(
            "Neither a database nor a file says what is sold.",
            "Set DATABASE_URL, start the service with `invokeai-saas up`, or name a file with --plans.",
        ) from error


@costs.command("reserved")
def print_savings(
    users: Annotated[int | None, typer.Option(min=1, max=MAX_USERS, help="People who come on a day.")] = None,
    as_json: Json = False,
) -> None:
    """From when on a year's commitment pays, and what other thrift brings."""
    usages, prices = load_usages(), load_prices()
    committed, saved = saving.commitments(usages, prices), saving.savings(usages, prices, users)
    if as_json:
        _say_json(
            {"commitments": [asdict(one) for one in committed], "savings": [asdict(one) for one in saved]}
        )
        return
    _title(printing.header(prices))
    _title(printing.commitments_text(committed))
    _say(printing.savings_text(saved))
