"""What staff do to people, plans and jobs, and who hears of it. The rules, and the line of the audit log that each act
leaves, are functions of the database: they hold in the act's own transaction.

A tester: the grant brings the tester plan and its credits, both to the grant's end. A trial ends with it. Whoever pays
for a plan at Stripe, or has one that was agreed on, is refused: nothing that is paid for is lost. Revoking ends
the plan and takes back what is unspent. Whoever buys a plan while a tester ends the grant, and its unspent credits.
"""

from __future__ import annotations

from uuid import UUID

from invokeai_saas.admin import acts_repository as repository
from invokeai_saas.admin.schemas import (
    AgreedPlanForm,
    CreditsForm,
    PackForm,
    PlanForm,
    Reasoned,
    TesterForm,
)
from invokeai_saas.billing.selling.service import close_checkouts
from invokeai_saas.db.session import StaffDb
from invokeai_saas.queue import events
from invokeai_saas.services import Services

_STRIPE_SECONDS = 15.0


def _tell(shared: Services, db: StaffDb, user_id: UUID) -> None:
    """After the commit: the person's next reads see it, and their pages ask for plan and credits anew."""
    db.after_commit(lambda: shared.database.wrote(user_id))
    db.after_commit(lambda: shared.publisher.publish(user_id, "credits_changed", {}))


async def give_credits(shared: Services, db: StaffDb, user_id: UUID, form: CreditsForm) -> None:
    """Gives credits. Raises: NotFound: there is no such person."""
    await repository.give_credits(db, user_id, form.amount, form.days, form.reason, form.key)
    _tell(shared, db, user_id)


async def grant_tester(shared: Services, db: StaffDb, user_id: UUID, form: TesterForm) -> None:
    """Raises: Conflict: the person pays for a plan, has an agreed one, or is a tester. InvalidInput: it has ended."""
    await repository.grant_tester(db, user_id, form.ends_at, form.reason, form.key)
    _tell(shared, db, user_id)


async def revoke_tester(shared: Services, db: StaffDb, user_id: UUID, grant: UUID, form: Reasoned) -> None:
    """Raises: NotFound: there is no such grant; Conflict: it has ended."""
    await repository.revoke_tester(db, user_id, grant, form.reason)
    _tell(shared, db, user_id)


async def set_agreed_plan(shared: Services, db: StaffDb, user_id: UUID, form: AgreedPlanForm) -> None:
    """A plan of a customer's own, given or changed. Raises: Conflict: they pay for one at Stripe, or are a tester."""
    figures = form.model_dump(exclude={"reason", "ends"})
    await repository.set_agreed_plan(db, user_id, figures, form.ends_at, form.reason)
    _tell(shared, db, user_id)
    customer = await repository.customer(db, user_id)
    client = shared.stripe
    if (
        client is not None and customer is not None
    ):  # a page that they have open there would take this plan's place
        db.after_commit(lambda: close_checkouts(client, customer, "subscription"), _STRIPE_SECONDS)


async def end_agreed_plan(shared: Services, db: StaffDb, user_id: UUID, form: Reasoned) -> None:
    """Ends it now; credits that it brought stay until they expire. Raises: Conflict: there is none."""
    await repository.end_agreed_plan(db, user_id, form.reason)
    _tell(shared, db, user_id)


async def block(shared: Services, db: StaffDb, user_id: UUID, form: Reasoned) -> None:
    """Keeps somebody out, at once: their sessions and sockets end, their jobs are cancelled.

    Raises: Conflict: they are blocked, or of our staff.
    """
    ended = await repository.block(db, user_id, form.reason)
    db.after_commit(lambda: shared.identity.ended(ended))
    _tell(shared, db, user_id)


async def unblock(db: StaffDb, user_id: UUID, form: Reasoned) -> None:
    """Lets somebody in again. Raises: Conflict: they are not blocked."""
    await repository.unblock(db, user_id, form.reason)


async def edit_plan(db: StaffDb, plan: UUID, form: PlanForm) -> None:
    """A plan's row as it shall be. Whoever has bought it keeps the price that they have at Stripe.

    Raises: Conflict: nothing would be changed.
    """
    await repository.edit_plan(db, plan, form.model_dump(exclude={"reason"}), form.reason)


async def edit_pack(db: StaffDb, slug: str, form: PackForm) -> None:
    """A pack's row as it shall be. Raises: Conflict: nothing would be changed."""
    await repository.edit_pack(db, slug, form.model_dump(exclude={"reason"}), form.reason)


async def cancel_job(shared: Services, db: StaffDb, item: int, form: Reasoned) -> None:
    """As its person would. Raises: NotFound; Conflict: it has ended."""
    user_id, status = await repository.cancel_job(db, item, form.reason)
    if status == "in_progress":
        db.after_commit(lambda: shared.doorbell.ask_to_cancel(item))
    else:
        payload = events.canceled(user_id, [item])
        db.after_commit(lambda: shared.publisher.publish(user_id, events.CANCELED, payload))
        _tell(shared, db, user_id)


async def replay_event(db: StaffDb, event: str, form: Reasoned) -> None:
    """What Stripe told us is applied again; what was applied before stays applied once. Raises: NotFound."""
    await repository.replay_event(db, event, form.reason)
