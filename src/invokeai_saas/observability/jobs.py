"""The worker's part in watching: what its jobs took, and how busy its GPU is.

The engine's environment may lack prometheus-client: then figures go into the log alone, where that is asked for.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import structlog

from invokeai_saas.observability import emf
from invokeai_saas.settings import Settings

if TYPE_CHECKING:
    from invokeai_saas.observability.metrics import JobMetrics

log = structlog.get_logger(__name__)


class JobWatch:
    """Publishes what jobs of one worker took."""

    def __init__(self, settings: Settings) -> None:
        self._emf = settings.metrics_emf
        self._serving = ExitStack()
        self._metrics = self._open(settings)

    def _open(self, settings: Settings) -> JobMetrics | None:
        if settings.metrics_port is None:
            return None
        try:
            from invokeai_saas.observability.metrics import JobMetrics, served
        except ImportError as error:
            log.warning("no_metrics", reason=f"{error}: METRICS_PORT is of no use here")
            return None
        metrics = JobMetrics()
        metrics.registry.register(GpuCollector())
        self._serving.enter_context(served(metrics.registry, settings.metrics_host, settings.metrics_port))
        return metrics

    def claimed(self, tier: str, waited: float) -> None:
        """Parameters: waited: seconds from enqueue to the first claim."""
        if self._metrics is not None:
            self._metrics.claimed(tier, waited)

    def ended(self, tier: str, status: str, seconds: float, pictures: int, credits: int) -> None:
        """Parameters: seconds: metered; credits: charged."""
        if self._metrics is not None:
            self._metrics.ended(tier, status, seconds, pictures, credits)
        if self._emf:
            emf.write_emf(
                emf.Figures({emf.JOB_SECONDS: round(seconds, 3)}, {emf.TIER: tier}),
                emf.Figures({emf.IMAGES: pictures, emf.CREDITS_USED: credits}),
            )

    def close(self) -> None:
        self._serving.close()


class GpuCollector:
    """Utilisation and memory of the GPU that this process sees, asked of the driver when they are read.

    Nothing where nvidia-ml-py or the driver is missing.
    """

    def __init__(self) -> None:
        self._nvml: Any = None
        self._device: Any = None
        try:
            nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            self._device = _device(nvml, os.environ.get("CUDA_VISIBLE_DEVICES", "0"))
            self._nvml = nvml
        except Exception as error:  # whatever the driver says: figures are no reason not to work
            log.info("no_gpu_figures", reason=repr(error))

    def collect(self) -> Iterable[Any]:
        """Gauges, as prometheus-client wants them."""
        if self._nvml is None:
            return
        from prometheus_client.core import GaugeMetricFamily

        rates = self._nvml.nvmlDeviceGetUtilizationRates(self._device)
        memory = self._nvml.nvmlDeviceGetMemoryInfo(self._device)
        yield GaugeMetricFamily("invokeai_gpu_utilisation_ratio", "Of the GPU, 0 to 1.", rates.gpu / 100)
        yield GaugeMetricFamily("invokeai_gpu_memory_used_bytes", "Of the GPU.", memory.used)
        yield GaugeMetricFamily("invokeai_gpu_memory_total_bytes", "Of the GPU.", memory.total)


def _device(nvml: Any, named: str) -> Any:
    """The first device of CUDA_VISIBLE_DEVICES, which names it by number or by UUID."""
    first = named.split(",")[0].strip()
    return (
        nvml.nvmlDeviceGetHandleByIndex(int(first or 0))
        if first.isdigit() or not first
        else nvml.nvmlDeviceGetHandleByUUID(first)
    )
