"""What the tests of the embedded servers share."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import obstore
import psutil
import psycopg
import redis
from obstore.exceptions import BaseError
from obstore.store import S3Store

from invokeai_saas.embedded.servers import Addresses

T = TypeVar("T")


def connect(addresses: Addresses, password: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
    url = addresses.postgres_url(addresses.superuser, password or addresses.superuser_password, "postgresql")
    return psycopg.connect(url, autocommit=True, connect_timeout=120)


def bucket(addresses: Addresses, secret: str | None = None) -> S3Store:
    return S3Store(
        addresses.s3_bucket,
        endpoint=addresses.s3_endpoint,
        region="us-east-1",
        access_key_id=addresses.s3_access_key,
        secret_access_key=secret or addresses.s3_secret_key,
        client_options={"allow_http": True, "timeout": "30s"},
        retry_config={"max_retries": 0},
    )


def write(addresses: Addresses, text: str) -> None:
    """Keep `text` in each of the three."""
    with connect(addresses) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
        connection.execute("INSERT INTO kept VALUES (%s)", (text,))
    with redis.Redis.from_url(addresses.redis_url) as client:
        client.rpush("kept", text)
    obstore.put(bucket(addresses), f"kept/{text}", text.encode())


def read(addresses: Addresses) -> dict[str, list[str]]:
    """What each of the three has kept."""
    with connect(addresses) as connection:
        rows = [str(row[0]) for row in connection.execute("SELECT text FROM kept ORDER BY text")]
    with redis.Redis.from_url(addresses.redis_url, decode_responses=True) as client:
        items = [str(item) for item in client.lrange("kept", 0, -1)]
    store = bucket(addresses)
    keys = sorted(entry["path"] for entry in obstore.list(store, prefix="kept").collect())
    return {
        "postgres": rows,
        "valkey": sorted(items),
        "objects": [bytes(obstore.get(store, key).bytes()).decode() for key in keys],
    }


def everywhere(*texts: str) -> dict[str, list[str]]:
    """What `read` answers when each of the three kept these."""
    return {name: sorted(texts) for name in ("postgres", "valkey", "objects")}


def until(ask: Callable[[], T], wanted: Callable[[T], bool], seconds: float = 120.0) -> T:
    """Ask until the answer is as wanted; connection errors count as no answer yet."""
    deadline = time.monotonic() + seconds
    while True:
        last: object = None
        try:
            if wanted(answer := ask()):
                return answer
            last = answer
        except (psycopg.OperationalError, redis.ConnectionError, BaseError, OSError) as error:
            last = error
        assert time.monotonic() < deadline, f"still {last!r} after {seconds} seconds"
        time.sleep(0.05)


def gone(pids: list[int], seconds: float = 120.0) -> bool:
    """Whether all these processes end in time."""
    processes = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(pid))
    return not psutil.wait_procs(processes, timeout=seconds)[1]


@dataclass
class Owner:
    """A running `owner.py`."""

    process: subprocess.Popen[str]
    addresses: Addresses
    pids: dict[str, int]

    @classmethod
    def start(cls, data_dir: Path, *arguments: str) -> Owner:
        script = str(Path(__file__).with_name("owner.py"))
        process = subprocess.Popen(
            [sys.executable, script, str(data_dir), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        return cls(process, Addresses(**said["addresses"]), said["pids"])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def finish(self) -> int:
        """Let it stop its servers; its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(120)
