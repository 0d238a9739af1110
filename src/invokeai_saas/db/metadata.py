"""All tables of all domains, gathered for Alembic and for tests."""

from __future__ import annotations

from sqlalchemy import MetaData

from invokeai_saas.audit import tables as _audit
from invokeai_saas.billing import tables as _billing
from invokeai_saas.billing.stripe import tables as _stripe
from invokeai_saas.catalog import tables as _catalog
from invokeai_saas.catalog.installs import tables as _installs
from invokeai_saas.catalog.relationships import tables as _relationships
from invokeai_saas.credits import tables as _credits
from invokeai_saas.db.base import Base
from invokeai_saas.edge import tables as _edge
from invokeai_saas.gallery import tables as _gallery
from invokeai_saas.identity import tables as _identity
from invokeai_saas.identity.keys import tables as _keys
from invokeai_saas.identity.recovery import tables as _recovery
from invokeai_saas.identity.staff import tables as _staff
from invokeai_saas.mail import tables as _mail
from invokeai_saas.organisations import tables as _organisations
from invokeai_saas.privacy import tables as _privacy
from invokeai_saas.queue import tables as _queue
from invokeai_saas.studio import tables as _studio
from invokeai_saas.studio.presets import tables as _presets
from invokeai_saas.studio.system_prompts import tables as _system_prompts
from invokeai_saas.studio.workflows import tables as _workflows

__all__ = ["all_tables"]

_DOMAINS = (
    _identity,
    _keys,
    _recovery,
    _staff,
    _audit,
    _mail,
    _billing,
    _organisations,
    _stripe,
    _credits,
    _gallery,
    _studio,
    _presets,
    _system_prompts,
    _workflows,
    _catalog,
    _relationships,
    _installs,
    _queue,
    _privacy,
    _edge,
)


def all_tables() -> MetaData:
    """The metadata with every domain's tables registered."""
    return Base.metadata
