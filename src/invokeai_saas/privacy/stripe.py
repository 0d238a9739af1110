"""What Stripe has to do for a person who goes: end the plan, forget the customer, and say so."""

from __future__ import annotations

import structlog
from stripe import InvalidRequestError, StripeClient, Subscription

from invokeai_saas.billing.stripe import reading
from invokeai_saas.errors import Unavailable

log = structlog.get_logger(__name__)
_NOT_FOUND = 404


class StripeSide:
    """Parameters: client: None where payments are not set up."""

    def __init__(self, client: StripeClient | None) -> None:
        self._client = client

    def _open(self) -> StripeClient:
        """Raises Unavailable: without Stripe nothing may be said of it."""
        if self._client is None:
            raise Unavailable("Payments are not set up, and this person is a customer at Stripe.")
        return self._client

    def has_plan(self, customer: str) -> bool:
        """Whether a customer pays for a plan now, or Stripe is still trying to collect.

        Raises:
            stripe.StripeError: Stripe cannot be asked.
            Unavailable: payments are not set up.
        """
        return any(reading.is_live(one.to_dict()) for one in self._subscriptions(customer))

    def end_plans(self, customer: str) -> int:
        """Ends what a customer subscribes to, at once; how many there were. Raises: as has_plan."""
        found = self._subscriptions(customer)
        for subscription in found:
            self._open().v1.subscriptions.cancel(subscription.id)
        return len(found)

    def _subscriptions(self, customer: str) -> list[Subscription]:
        """Those that have not ended. A customer that is no more has none."""
        try:
            listed = self._open().v1.subscriptions.list({"customer": customer, "limit": 100})
            return list(listed.auto_paging_iter())
        except InvalidRequestError as error:
            if error.http_status == _NOT_FOUND:
                return []
            raise

    def forget(self, customer: str) -> str:
        """Deletes a customer, and has Stripe confirm that there is none; the number of the request that said so.

        Raises:
            stripe.StripeError: Stripe cannot be asked, or has never heard of the customer: then this may be the wrong
                account, and nothing is proven.
            Unavailable: payments are not set up, or Stripe still has the customer.
        """
        confirmation: str | None = None
        try:
            deleted = self._open().v1.customers.delete(customer)
            confirmation = deleted.last_response.request_id if deleted.last_response else None
        except InvalidRequestError as error:  # deleted before, by a process that could not say so any more
            if error.http_status != _NOT_FOUND:
                raise
        found = self._open().v1.customers.retrieve(customer)
        if not getattr(found, "deleted", False):
            raise Unavailable("Stripe has the customer still.")
        asked = found.last_response.request_id if found.last_response else None
        return confirmation or asked or ""
