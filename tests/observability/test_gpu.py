"""The figures of a real GPU, beside what its driver's own program says. On machines that have one."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from invokeai_saas.observability.jobs import GpuCollector

pytest.importorskip("pynvml", reason="SKIPPED: nvidia-ml-py is not installed; no real GPU was asked")
pytest.importorskip("prometheus_client")
if shutil.which("nvidia-smi") is None:
    pytest.skip("SKIPPED: there is no GPU; none was asked", allow_module_level=True)


def test_a_real_gpu_says_what_its_drivers_program_says(monkeypatch: pytest.MonkeyPatch) -> None:
    query = ["nvidia-smi", "--query-gpu=uuid,memory.total,memory.used", "--format=csv,noheader,nounits"]
    told = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()[0]
    uuid, total, used = (part.strip() for part in told.split(","))
    for named in ("0", uuid):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        figures = {one.name: one.samples[0].value for one in GpuCollector().collect()}
        assert figures["invokeai_gpu_memory_total_bytes"] == pytest.approx(int(total) * 2**20, rel=0.01)
        assert abs(figures["invokeai_gpu_memory_used_bytes"] - int(used) * 2**20) < 2**30
        assert 0 <= figures["invokeai_gpu_utilisation_ratio"] <= 1
