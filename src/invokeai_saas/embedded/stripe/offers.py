"""What is sold: https://docs.stripe.com/api/products and https://docs.stripe.com/api/prices."""

from __future__ import annotations

from . import subscriptions
from .account import Account
from .errors import Refused
from .shapes import Obj


def create_product(account: Account, _: str, params: Obj) -> Obj:
    """A new product."""
    made = account.new(
        "product",
        {
            "active": params.get("active", True), "description": params.get("description"), "images": [],
            "marketing_features": [], "metadata": params.get("metadata", {}), "name": params["name"],
            "type": "service", "updated": account.now(), "default_price": None,
        },
    )  # fmt: skip
    account.emit("product.created", made)
    return made


def update_product(account: Account, name: str, params: Obj) -> Obj:
    """Changes what is given."""
    product = account.get("product", name)
    changes: Obj = {key: params[key] for key in ("active", "name", "description") if key in params}
    if "metadata" in params:
        changes["metadata"] = subscriptions.merged(product["metadata"], params["metadata"])
    return account.change(product, "product.updated", **changes, updated=account.now())


def create_price(account: Account, _: str, params: Obj) -> Obj:
    """A new price of a product. Raises Refused: it has no amount, or its lookup key is taken."""
    product = account.get("product", params.get("product", ""), "product")
    if not isinstance(params.get("unit_amount"), int) or params["unit_amount"] < 0:
        raise Refused("Missing required param: unit_amount.", code="parameter_missing", param="unit_amount")
    recurring = params.get("recurring")
    if recurring is not None:
        recurring = {
            "interval": recurring["interval"], "interval_count": recurring.get("interval_count", 1),
            "usage_type": "licensed", "meter": None, "trial_period_days": None,
        }  # fmt: skip
    _free_lookup_key(account, params)
    made = account.new(
        "price",
        {
            "active": params.get("active", True), "billing_scheme": "per_unit", "currency": params["currency"],
            "lookup_key": params.get("lookup_key"), "metadata": params.get("metadata", {}),
            "nickname": params.get("nickname"), "product": product["id"], "recurring": recurring,
            "tax_behavior": "unspecified", "type": "recurring" if recurring else "one_time",
            "unit_amount": params["unit_amount"], "unit_amount_decimal": str(params["unit_amount"]),
        },
    )  # fmt: skip
    account.emit("price.created", made)
    return made


def _free_lookup_key(account: Account, params: Obj, but: str = "") -> None:
    """A lookup key names one price. Another's is taken over if the caller says so."""
    key = params.get("lookup_key")
    for price in account.store.all("price") if key else []:
        if price.get("lookup_key") == key and price["id"] != but:
            if not params.get("transfer_lookup_key"):
                raise Refused(f"A price (`{price['id']}`) already uses that lookup key.", param="lookup_key")
            account.change(price, "price.updated", lookup_key=None)


def update_price(account: Account, name: str, params: Obj) -> Obj:
    """Changes what is given. Raises Refused: its lookup key is taken."""
    price = account.get("price", name)
    _free_lookup_key(account, params, name)
    changes: Obj = {key: params[key] for key in ("active", "nickname", "lookup_key") if key in params}
    if "metadata" in params:
        changes["metadata"] = subscriptions.merged(price["metadata"], params["metadata"])
    return account.change(price, "price.updated", **changes)
