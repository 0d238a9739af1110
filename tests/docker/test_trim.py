"""What is taken out of the API's image is not missed there."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.docker.dockerfiles import ROOT

_CLIENT = re.compile(r"(?:aws_client|boto3\.client)\(\s*\"([a-z0-9-]+)\"")
_OPENED = """
import sys, boto3, botocore
assert botocore.__file__.startswith(sys.argv[1]), botocore.__file__
for service in sys.argv[2:]:
    boto3.client(service, region_name="ap-northeast-2", aws_access_key_id="k", aws_secret_access_key="s")
"""


@pytest.fixture(scope="module")
def trim() -> ModuleType:
    spec = importlib.util.spec_from_file_location("trim", ROOT / "docker" / "trim.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_keeps_every_service_that_the_source_names(trim: ModuleType) -> None:
    named = {name for file in (ROOT / "src").rglob("*.py") for name in _CLIENT.findall(file.read_text())}
    assert named == trim.CALLED


def _copied(site: Path) -> None:
    for library in ("boto3", "botocore"):
        found = importlib.util.find_spec(library)
        assert found is not None and found.submodule_search_locations
        shutil.copytree(found.submodule_search_locations[0], site / library)


def test_what_is_left_opens_a_client_of_each(tmp_path: Path, trim: ModuleType) -> None:
    _copied(tmp_path)
    trim.trim(tmp_path)
    assert not (tmp_path / "botocore" / "data" / "ec2").exists()
    command = [sys.executable, "-c", _OPENED, str(tmp_path), *sorted(trim.CALLED)]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(tmp_path)}, timeout=100)
