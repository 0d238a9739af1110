"""The scheduler's part in watching: reads figures from the database and publishes them."""

from __future__ import annotations

from contextlib import ExitStack

from invokeai_saas.observability import emf
from invokeai_saas.observability.metrics import QueueMetrics, served
from invokeai_saas.observability.repository import Figures
from invokeai_saas.settings import Settings


class Watch:
    """Publishes the queue's and the business's figures; asks for none where nobody is to hear of them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = QueueMetrics()
        self._queue = Figures(settings.database_worker_url.get_secret_value())
        billing = settings.database_billing_url.get_secret_value()
        self._business = Figures(billing) if billing else None
        self._heard = settings.metrics_port is not None or settings.metrics_emf
        self._serving = ExitStack()
        self._serving.enter_context(
            served(self._metrics.registry, settings.metrics_host, settings.metrics_port)
        )

    def queue(self) -> None:
        """Depth, backlog and workers of each tier.

        Raises:
            psycopg.Error: the database is away; so for `business`.
        """
        if not self._heard:
            return
        for tier, values in self._queue.queue().items():
            self._metrics.tier(tier, values)
            if self._settings.metrics_emf:
                emf.write_emf(emf.Figures({emf.BACKLOG_SECONDS: values["backlog_seconds"]}, {emf.TIER: tier}))

    def business(self) -> None:
        """People, pictures, credits, revenue and bytes; nothing without the billing role."""
        if not self._heard or self._business is None:
            return
        values = self._business.business()
        self._metrics.business(values)
        if self._settings.metrics_emf:
            figures = {
                emf.ACTIVE_USERS: values["active_people"],
                emf.MONTHLY_REVENUE: values["monthly_usd"],
            }
            emf.write_emf(emf.Figures(figures))

    def close(self) -> None:
        self._serving.close()
        self._queue.close()
        if self._business is not None:
            self._business.close()
