"""What a server under test is weighed by."""

import subprocess
import sys

import psutil

from bench.contender import Running

_SECONDS = 0.3
_TICKS = 0.05  # seconds: the system counts in hundredths and leaves out what is begun, of four figures
_BURN = f"import time\nwhile time.process_time() < {_SECONDS}: pass"
_WITH_A_CHILD = (
    f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {_BURN!r}])\nprint(flush=True)\ninput()"
)


def test_time_of_processes_that_have_ended_counts() -> None:
    """Connections of PostgreSQL's are processes; one that ended during a load made its figure negative."""
    with subprocess.Popen(
        [sys.executable, "-c", _WITH_A_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdout.readline()
        assert Running(psutil.Process(server.pid), 0).cpu() >= _SECONDS - _TICKS
        server.stdin.close()
