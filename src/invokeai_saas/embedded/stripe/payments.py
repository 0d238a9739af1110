"""Cards, and what happens to money once a customer agreed: charges, refunds, disputes."""

from __future__ import annotations

from .account import Account
from .cards import CARDS, MESSAGES, NAMED, KnownCard, luhn
from .errors import Refused
from .shapes import Obj

_BILLING = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}
_EVIDENCE_SECONDS = 9 * 86400


def declined(code: str, intent: str | None = None, *, kept: bool = True) -> Refused:
    """A card that was not charged, as Stripe says it."""
    facts = {"payment_intent": {"id": intent}} if intent else {}
    return Refused(
        MESSAGES[code],
        status=402,
        kind="card_error",
        kept=kept,
        code="card_declined" if code != "expired_card" else "expired_card",
        decline_code=code,
        **facts,
    )


def new_card(account: Account, number: str, month: int, year: int) -> Obj:
    """A payment method of a card.

    Raises:
        Refused: it is none of the test cards.
    """
    number = number.replace(" ", "").replace("-", "")
    card = CARDS.get(number)
    if card is None:
        said = (
            "Your card number is incorrect."
            if not (number.isdigit() and luhn(number))
            else ("Your card was declined. Use one of Stripe's test cards, such as 4242 4242 4242 4242.")
        )
        raise Refused(said, status=402, kind="card_error", code="incorrect_number", param="number")
    details = {
        "brand": card.brand,
        "country": "US",
        "exp_month": month,
        "exp_year": year,
        "fingerprint": f"fp{number[-8:]}",
        "funding": "credit",
        "last4": number[-4:],
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "networks": {"available": [card.brand], "preferred": None},
        "three_d_secure_usage": {"supported": True},
    }
    values: Obj = {
        "type": "card", "card": details, "billing_details": dict(_BILLING), "customer": None, "metadata": {},
        "_number": number,
    }  # fmt: skip
    return account.new("payment_method", values)


def usable(account: Account, name: str) -> Obj:
    """A payment method by id, or by one of Stripe's names for test cards, which makes a new one."""
    if name in NAMED:
        return new_card(account, NAMED[name], 12, 2040)
    return account.get("payment_method", name, "payment_method")


def card_of(method: Obj) -> KnownCard:
    return CARDS[method["_number"]]


def attach(account: Account, method: Obj, customer: str) -> Obj:
    """Saves a card with a customer.

    Raises:
        Refused: cards that always decline cannot be saved.
    """
    if method["customer"] == customer:
        return method
    card = card_of(method)
    if card.refuses_to_be_saved and card.decline:
        raise declined(card.decline, kept=False)
    return account.change(method, "payment_method.attached", customer=customer)


def default_card(account: Account, customer: Obj, subscription: Obj | None = None) -> Obj | None:
    """What a customer pays with."""
    chosen = (subscription or {}).get("default_payment_method")
    chosen = chosen or customer["invoice_settings"]["default_payment_method"]
    return account.store.find(chosen) if chosen else None


def pay(
    account: Account, customer: str, method: Obj | None, amount: int, currency: str, values: Obj
) -> tuple[Obj, Obj | None]:
    """Tries to collect an amount, in cents.

    Parameters:
        method: None for a customer without a card.
        values: more of the payment intent: description, metadata.

    Returns:
        The payment intent, and the charge where it succeeded.
    """
    intent = account.new(
        "payment_intent",
        {
            "amount": amount, "amount_capturable": 0, "amount_received": 0, "capture_method": "automatic",
            "confirmation_method": "automatic", "currency": currency, "customer": customer, "metadata": {},
            "payment_method": method["id"] if method else None, "payment_method_types": ["card"],
            "status": "requires_payment_method", **values,
        },
        customer=customer,
    )  # fmt: skip
    intent["client_secret"] = f"{intent['id']}_secret_local"
    account.store.put(intent)
    account.emit("payment_intent.created", intent)
    if method is None:
        return intent, None
    card = card_of(method)
    charge = _charge(account, intent, method, card)
    if card.decline is not None:
        error = declined(card.decline).body["error"]
        account.change(
            intent, "payment_intent.payment_failed", latest_charge=charge["id"], last_payment_error=error
        )
        return intent, None
    account.change(
        intent,
        "payment_intent.succeeded",
        status="succeeded",
        amount_received=amount,
        latest_charge=charge["id"],
    )
    if card.disputed:
        dispute(account, charge)
    return intent, charge


def _charge(account: Account, intent: Obj, method: Obj, card: KnownCard) -> Obj:
    paid = card.decline is None
    card_facts = {
        name: method["card"][name] for name in ("brand", "exp_month", "exp_year", "last4", "funding")
    }
    charge = account.new(
        "charge",
        {
            "amount": intent["amount"], "amount_captured": intent["amount"] if paid else 0, "amount_refunded": 0,
            "billing_details": dict(_BILLING), "captured": paid, "currency": intent["currency"],
            "customer": intent["customer"], "description": intent.get("description"), "disputed": False,
            "metadata": dict(intent["metadata"]), "paid": paid, "payment_intent": intent["id"],
            "payment_method": method["id"], "refunded": False, "status": "succeeded" if paid else "failed",
            "failure_code": None if paid else "card_declined",
            "failure_message": None if paid else MESSAGES[str(card.decline)],
            "payment_method_details": {"type": "card", "card": card_facts},
            "receipt_url": None,
        },
        customer=intent["customer"],
    )  # fmt: skip
    account.emit("charge.succeeded" if paid else "charge.failed", charge)
    return charge


def charge_of(account: Account, params: Obj) -> Obj:
    """The charge that a refund names, by itself or by its payment intent."""
    if "charge" in params:
        return account.get("charge", params["charge"], "charge")
    if "payment_intent" in params:
        intent = account.get("payment_intent", params["payment_intent"], "payment_intent")
        if intent.get("latest_charge"):
            return account.get("charge", intent["latest_charge"])
    raise Refused(
        "One of the following params should be provided for this request: payment_intent or charge."
    )


def refund(account: Account, params: Obj) -> Obj:
    """Gives money back.

    Raises:
        Refused: more than is left of the charge, or nothing was charged.
    """
    charge = charge_of(account, params)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left == 0:
        raise Refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if charge["disputed"]:
        raise Refused(f"Charge {charge['id']} has been charged back.", code="charge_disputed")
    amount = params.get("amount", left)
    if not 0 < amount <= left:
        raise Refused(
            f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge (${left / 100:.2f})",
            param="amount",
        )
    made = account.new(
        "refund",
        {
            "amount": amount, "charge": charge["id"], "currency": charge["currency"], "status": "succeeded",
            "payment_intent": charge["payment_intent"], "metadata": params.get("metadata", {}),
            "reason": params.get("reason"),
        },
        customer=charge["customer"],
    )  # fmt: skip
    refunded = charge["amount_refunded"] + amount
    account.emit("refund.created", made)
    account.change(
        charge, "charge.refunded", amount_refunded=refunded, refunded=refunded == charge["amount_captured"]
    )
    return made


def dispute(account: Account, charge: Obj) -> Obj:
    """The bank takes a charge back, on its customer's word."""
    account.change(charge, "charge.updated", disputed=True)
    now = account.now(charge["customer"])
    made = account.new(
        "dispute",
        {
            "amount": charge["amount"], "balance_transactions": [], "charge": charge["id"],
            "currency": charge["currency"], "enhanced_eligibility_types": [],
            "evidence": {"enhanced_evidence": {}},
            "evidence_details": {
                "due_by": now + _EVIDENCE_SECONDS, "enhanced_eligibility": {}, "has_evidence": False,
                "past_due": False, "submission_count": 0, "submission_method": "not_submitted",
            },
            "is_charge_refundable": False, "metadata": {}, "payment_intent": charge["payment_intent"],
            "reason": "fraudulent", "status": "needs_response",
        },
        customer=charge["customer"],
    )  # fmt: skip
    account.emit("charge.dispute.created", made)
    account.emit("charge.dispute.funds_withdrawn", made)
    return made


def answer_dispute(account: Account, made: Obj, params: Obj) -> Obj:
    """Hands in what speaks for the payment. As in Stripe's test mode two words decide at once: one wins, one loses.

    https://docs.stripe.com/testing#disputes
    """
    if made["status"] in ("won", "lost"):
        raise Refused("This dispute is closed.")
    evidence = params.get("evidence", {})
    word = evidence.get("uncategorized_text", "")
    account.change(made, "charge.dispute.updated", evidence=made["evidence"] | evidence)
    if word not in ("winning_evidence", "losing_evidence"):
        return account.change(made, "charge.dispute.updated", status="under_review")
    account.change(made, "charge.dispute.closed", status="won" if word == "winning_evidence" else "lost")
    if made["status"] == "won":
        account.emit("charge.dispute.funds_reinstated", made)
    return made


def close_dispute(account: Account, made: Obj) -> Obj:
    """Gives in: the money stays with the customer."""
    return account.change(made, "charge.dispute.closed", status="lost")
