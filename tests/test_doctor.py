"""The doctor finds what is wrong and says what to do, and never calls a sound machine ill."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from invokeai_saas import doctor
from invokeai_saas.doctor import Finding, examine
from invokeai_saas.embedded.ports import LOOPBACK, choose_ports
from invokeai_saas.embedded.servers import EmbeddedServers
from invokeai_saas.settings import Settings


@pytest.fixture(autouse=True)
def quick_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine environment whose interpreter has no torch: importing the real one takes seconds."""
    python = tmp_path / "engine" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setenv("ENGINE_PYTHON", str(python))
    return python


def healthy(tmp_path: Path, **changes: object) -> Settings:
    page, models = tmp_path / "page", tmp_path / "models"
    (models / "starter" / "weights").mkdir(parents=True)
    (models / "starter" / "weights" / "model_index.json").write_text("{}")
    page.mkdir()
    (page / "index.html").write_text("<html>")
    (tmp_path / "nodes.json").write_text("{}")
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "shipped.json").write_text("{}")
    values: dict[str, object] = {
        "data_dir": tmp_path / "data",
        "port": choose_ports(["page"], {})["page"],
        "page_dir": page,
        "node_schemas": tmp_path / "nodes.json",
        "library_dir": tmp_path / "library",
        "model_dir": models,
    }
    return Settings.model_validate(values | changes)


def find(settings: Settings, name: str) -> Finding:
    return next(finding for finding in examine(settings) if finding.name == name)


def test_sound_machine(tmp_path: Path) -> None:
    findings = {finding.name: finding for finding in examine(healthy(tmp_path))}
    sick = {name for name, finding in findings.items() if finding.ok is False}
    assert sick <= {"Engine", "Free disk", "Free memory"}  # the fixture's engine has no torch
    assert "17.10" in findings["PostgreSQL program"].detail
    assert "v=9.1" in findings["Valkey program"].detail
    assert "4." in findings["Object store program"].detail
    assert findings["PostgreSQL"].ok is None  # nothing runs
    assert not (tmp_path / "data").exists()  # it only looked


def test_every_fault_has_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_engine: Path
) -> None:
    quick_engine.unlink()
    monkeypatch.setattr(doctor, "_DISK_NEEDED", 2**60)
    monkeypatch.setattr(doctor, "_MEMORY_NEEDED", 2**60)
    nowhere = tmp_path / "nowhere"
    (tmp_path / "file").write_text("")
    with socket.create_server((LOOPBACK, 0)) as taken:
        settings = healthy(
            tmp_path,
            data_dir=tmp_path / "file",
            port=taken.getsockname()[1],
            page_dir=nowhere,
            node_schemas=nowhere,
            library_dir=nowhere,
            model_dir=nowhere,
            database_url=f"postgresql+asyncpg://api:secret-word@{LOOPBACK}:1/invokeai",
            redis_url=f"redis://:secret-word@{LOOPBACK}:1/0",
            s3_endpoint_url=f"http://{LOOPBACK}:1",
            aws_access_key_id="key",
            aws_secret_access_key="secret-word",
        )
        sick = {finding.name: finding for finding in examine(settings) if finding.ok is False}
    assert set(sick) == {
        "Free disk", "Free memory", "Data folder", "Port", "Engine", "InvokeAI's page", "Node schemas",
        "InvokeAI's library", "Starter model", "PostgreSQL", "Valkey", "Object store",
    }  # fmt: skip
    assert all(finding.remedy for finding in sick.values())
    assert "secret-word" not in repr(sick)


def test_missing_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_saas.embedded.valkey.find_spec", lambda _: None)
    monkeypatch.setattr("invokeai_saas.embedded.postgres.find_spec", lambda _: None)
    monkeypatch.setattr("invokeai_saas.embedded.objectstore.shutil.which", lambda *_, **__: None)
    for finding in examine(healthy(tmp_path)):
        if finding.name in ("PostgreSQL program", "Valkey program", "Object store program"):
            assert finding.ok is False
            assert "make install" in finding.remedy


def test_engine_without_torch_is_told_from_none(tmp_path: Path, quick_engine: Path) -> None:
    settings = healthy(tmp_path)
    assert "No module named 'torch'" in find(settings, "Engine").detail
    quick_engine.unlink()
    assert "there is no" in find(settings, "Engine").detail
    mock = Settings.model_validate(settings.model_dump() | {"worker_engine": "mock"})
    assert find(mock, "Engine").ok is None


def test_running_service(tmp_path: Path) -> None:
    settings = healthy(tmp_path)
    with EmbeddedServers(settings.data_dir, durable=False):
        findings = {finding.name: finding for finding in examine(settings)}
    assert findings["Data folder"].ok is None
    assert "is running" in findings["Data folder"].detail
    assert [findings[name].ok for name in ("PostgreSQL", "Valkey", "Object store")] == [True] * 3
