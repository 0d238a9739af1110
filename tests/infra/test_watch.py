"""The watchman of a GPU machine, with AWS's commands stood in for: they cannot be had elsewhere. Tested is what is
ours: when a machine is protected, and in which order it ends."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.waiting import eventually

WATCH = Path("infra/terraform/modules/gpu-group/watch.sh").resolve()
STUBS = {
    "curl": """for last; do :; done
case $last in
*/api/token) echo token ;;
*/instance-id) echo i-1 ;;
*aws:autoscaling:groupName) echo group ;;
*/spot/instance-action) [ -f "$WORLD/spot" ] || exit 22 ;;
*/target-lifecycle-state) cat "$WORLD/state" ;;
esac""",
    "aws": 'echo "aws $*" >> "$WORLD/log"; [ ! -f "$WORLD/refused" ]',
    "systemctl": 'echo "systemctl $*" >> "$WORLD/log"',
    "nvidia-smi": 'cat "$WORLD/busy"',
    "logger": ":",
    "sleep": 'printf . >> "$WORLD/rounds"; exec /bin/sleep 0.005',
}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name, body in STUBS.items():
        stub = tmp_path / "bin" / name
        stub.write_text(f"#!/usr/bin/env bash\n{body}\n")
        stub.chmod(0o755)
    (tmp_path / "state").write_text("InService")
    (tmp_path / "busy").write_text("0\n")
    (tmp_path / "log").touch()
    return tmp_path


async def watching(world: Path, gpus: int) -> asyncio.subprocess.Process:
    path = f"{world / 'bin'}:{os.environ['PATH']}"
    told = {"PATH": path, "WORLD": str(world), "GPUS": str(gpus), "READY": str(world / "scratch")}
    return await asyncio.create_subprocess_exec("bash", str(WATCH), env=told)


def is_ready(world: Path, gpu: int) -> None:
    """A worker has written its WORKER_READY_FILE."""
    folder = world / "scratch" / str(gpu)
    folder.mkdir(parents=True)
    (folder / "ready").write_text("worker")


async def looked(world: Path, times: int = 2) -> None:
    """Until the watchman has gone round so often from now on."""
    rounds = world / "rounds"
    before = len(rounds.read_text()) if rounds.exists() else 0
    await eventually(lambda: rounds.exists() and len(rounds.read_text()) >= before + times)


async def ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


async def seen(world: Path, words: str) -> None:
    await eventually(lambda: words in (world / "log").read_text())


async def test_a_machine_is_protected_while_it_works_and_drains_before_it_ends(world: Path) -> None:
    is_ready(world, 0)
    is_ready(world, 1)
    process = await watching(world, gpus=2)
    try:
        await seen(world, "complete-lifecycle-action --lifecycle-hook-name launch")
        await seen(
            world, "set-instance-protection --instance-ids i-1 --auto-scaling-group-name group --no-protected"
        )
        (world / "busy").write_text("0\n37\n")  # one of two GPUs
        await seen(world, "--auto-scaling-group-name group --protected-from-scale-in")
        (world / "state").write_text("Terminated")
        assert await asyncio.wait_for(process.wait(), 120) == 0
    finally:
        await ended(process)
    end = (world / "log").read_text().splitlines()[-3:]
    assert sorted(end[:2]) == ["systemctl stop invokeai-worker@0", "systemctl stop invokeai-worker@1"]
    assert "complete-lifecycle-action --lifecycle-hook-name terminate" in end[2]
    assert "--lifecycle-action-result CONTINUE" in end[2]


async def test_a_machine_is_in_service_when_each_of_its_workers_is_ready(world: Path) -> None:
    is_ready(world, 0)
    process = await watching(world, gpus=2)
    try:
        await looked(world)
        assert "--lifecycle-hook-name launch" not in (world / "log").read_text()
        is_ready(world, 1)
        await seen(world, "complete-lifecycle-action --lifecycle-hook-name launch")
        await looked(world, 5)
        assert (world / "log").read_text().count("--lifecycle-hook-name launch") == 1
    finally:
        await ended(process)


async def test_a_launch_that_aws_refuses_is_completed_later_and_not_for_ever(world: Path) -> None:
    is_ready(world, 0)
    (world / "refused").touch()
    process = await watching(world, gpus=1)
    try:
        await looked(world, 40)
        assert (world / "log").read_text().count("--lifecycle-hook-name launch") == 12
    finally:
        await ended(process)


async def test_a_machine_that_ends_before_its_workers_are_ready_drains_too(world: Path) -> None:
    process = await watching(world, gpus=1)
    try:
        await looked(world)
        (world / "state").write_text("Terminated")
        assert await asyncio.wait_for(process.wait(), 120) == 0
    finally:
        await ended(process)
    log = (world / "log").read_text()
    assert log.index("systemctl stop invokeai-worker@0") < log.index("--lifecycle-hook-name terminate")
    assert "--lifecycle-hook-name launch" not in log


async def test_a_spot_notice_drains(world: Path) -> None:
    (world / "spot").write_text("{}")
    process = await watching(world, gpus=1)
    assert await asyncio.wait_for(process.wait(), 120) == 0
    log = (world / "log").read_text()
    assert log.index("systemctl stop invokeai-worker@0") < log.index("--lifecycle-hook-name terminate")
    assert "protected" not in log
