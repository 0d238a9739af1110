"""What can be said of the images without a builder: their Dockerfiles, read; and the commands that they name, tried."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from invokeai_saas.settings import Settings
from tests.docker.dockerfiles import ALL, API, ROOT, WORKER, Stage, command, stages

_PINNED = re.compile(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
_COMPILERS = ("gcc", "g++", "build-essential", "clang", "cargo", "python3-dev", "make", "cmake")


def _final(file: Path) -> Stage:
    return stages(file)[-1]


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_every_base_is_one_stage_or_one_digest(file: Path) -> None:
    known: set[str] = set()
    for stage in stages(file):
        assert stage.base in known or _PINNED.fullmatch(stage.base), stage.base
        assert not stage.base.endswith(":latest")
        known.add(stage.name)


def test_all_images_stand_on_the_same_python() -> None:
    bases = {stage.base for file in ALL for stage in stages(file) if "@" in stage.base}
    assert len(bases) == 1
    # The engine's lock is made for 3.11, and the suite runs on it.
    assert bases.pop().startswith("python:3.11-slim-")


def test_the_engines_stage_is_the_same_in_both() -> None:
    """Word for word, so that a builder makes its seven gigabytes once."""
    api, worker = (stages(file)[0] for file in ALL)
    assert api.name == "engine"
    assert api == worker


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_what_is_copied_is_there_and_is_sent_to_the_builder(file: Path) -> None:
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    earlier: set[str] = set()
    for stage in stages(file):
        for origin, sources, _ in stage.copied():
            if origin is not None:
                assert origin in earlier
                continue
            for source in sources:
                assert (ROOT / source).exists(), source
                assert any(fnmatch(source.split("/")[0], pattern) for pattern in sent), source
        earlier.add(stage.name)


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_packages_come_from_locks_by_hash_and_no_compiler_comes_at_all(file: Path) -> None:
    for stage in stages(file):
        for line in stage.all("RUN"):
            for install in re.findall(r"pip (?:--python \S+ )?install ([^&]*)", line):
                ours = install.rstrip().endswith((" .", "/wheels/*.whl")) and "--no-deps" in install
                assert ours or "--require-hashes" in install, install
            assert not set(line.split()) & set(_COMPILERS)
            assert "curl" not in line
    named = set(re.findall(r"-r (requirements/\S+)", file.read_text()))
    made = (ROOT / "Makefile").read_text()
    assert named
    assert all(f"-o {lock}" in made for lock in named)


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_environments_are_of_wheels_alone(file: Path) -> None:
    """What has no wheel would want a compiler."""
    installs = [line for stage in stages(file) for line in stage.all("RUN") if "--require-hashes" in line]
    assert installs
    for line in installs:
        assert line.count("--require-hashes") == line.count("--only-binary :all:")


def test_all_that_the_apis_image_runs_loads_without_what_one_machine_needs() -> None:
    """Its lock leaves the extra `local` out: every module but these must do without."""
    local = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["local"]
    names = {re.split(r"[>=]", requirement)[0].replace("-", "_") for requirement in local}
    names |= {"valkey_lite", "seaweedfs", "psycopg_c"}
    others = ("worker.engine", "demo", "endtoend", "sheet", "__main__", "gallery.videos._confined")
    modules = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "src" / "invokeai_saas").rglob("*.py"))
        if "migrations" not in path.parts
    ]
    wanted = [
        name
        for name in modules
        if not any(f"{name}.".startswith(f"invokeai_saas.{other}.") for other in others)
    ]
    script = f"""
import importlib, sys
for name in {sorted(names)!r}:
    sys.modules[name] = None
for name in {wanted!r}:
    importlib.import_module(name)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(wanted) > 200


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_nothing_runs_as_root_or_writes_to_the_root(file: Path) -> None:
    final = _final(file)
    assert final.last("USER") == "10001:10001"
    environment = final.environment()
    volumes = command(final.last("VOLUME"))
    for name in ("DATA_DIR", "TMPDIR", "HOME", "MPLCONFIGDIR", "MODEL_DIR"):
        if name in environment:
            assert any(environment[name].startswith(volume) for volume in volumes), name
    made = next(line for line in final.all("RUN") if "install --directory --owner saas" in line)
    assert all(volume in made for volume in volumes if volume != "/tmp")  # which everybody may write to
    # Bytecode was written when the packages were installed.
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_settings_that_an_image_brings_are_settings(file: Path) -> None:
    environment = _final(file).environment()
    ours = {name: value for name, value in environment.items() if name.lower() in Settings.model_fields}
    assert {"DATA_DIR", "DEPLOYMENT_MODE"} <= set(ours)
    Settings.model_validate({name.lower(): value for name, value in ours.items()})
    others = {
        *("PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "TMPDIR", "HOME", "MPLCONFIGDIR"),
        *("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_REQUIRE_CUDA"),
    }
    assert set(environment) - set(ours) <= others


def test_the_api_listens_where_the_load_balancer_calls() -> None:
    final = _final(API)
    assert final.environment()["PORT"] == final.last("EXPOSE") == "8080"
    assert final.environment()["HOST"] == "0.0.0.0"


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_the_commands_are_commands(file: Path) -> None:
    final = _final(file)
    assert final.all("ENTRYPOINT") == []  # the infrastructure names whole commands
    program, *words = command(final.last("CMD"))
    assert program == "invokeai-saas"
    asked = [sys.executable, "-m", "invokeai_saas", *words, "--help"]
    subprocess.run(asked, capture_output=True, check=True, timeout=120)


@pytest.mark.parametrize("file", ALL, ids=lambda file: file.name)
def test_the_health_check_is_our_own_every_30_seconds_three_times(file: Path) -> None:
    check = _final(file).last("HEALTHCHECK")
    assert {"--interval=30s", "--timeout=5s", "--retries=3"} <= set(check.split())
    python, *rest = command(check)
    assert python == "python"
    done = subprocess.run(
        [sys.executable, *rest],
        env={"DATA_DIR": "/nowhere", "PORT": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1  # nothing is there, and it says so
    assert done.stderr


def _version(package: str) -> tuple[int, ...]:
    lock = (ROOT / "requirements" / "engine.txt").read_text()
    found = re.search(rf"^{package}==([\d.]+)", lock, re.MULTILINE)
    assert found is not None
    return tuple(map(int, found[1].split(".")))


def test_cuda_is_12_8_or_newer_and_the_driver_is_asked_for_it() -> None:
    runtime = _version("nvidia-cuda-runtime")
    assert runtime >= (12, 8)
    asked = _final(WORKER).environment()["NVIDIA_REQUIRE_CUDA"]
    assert asked == f"cuda>={runtime[0]}.{runtime[1]}"


def test_commands_of_tasks_are_whole_since_images_have_no_entry_point() -> None:
    terraform = (ROOT / "infra/terraform/modules/stack/processes.tf").read_text()
    first = re.findall(r'^\s+command\s+= \["([^"]+)"', terraform, re.MULTILINE)
    assert len(first) == terraform.count('source = "../fargate"')
    assert set(first) == {"invokeai-saas", "python"}
    assert not any(_final(file).all("ENTRYPOINT") for file in ALL)
