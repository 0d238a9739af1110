"""How passwords are kept."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from invokeai_saas.errors import InvalidInput
from invokeai_saas.identity import passwords

_HASH = "from invokeai_saas.identity import passwords; print(passwords.hash_at_once('Correct-horse-7'))"


def test_a_hash_costs_what_rfc_9106_recommends() -> None:
    """Its second recommendation (section 4): argon2id, 64 MiB, three passes, four lanes. In a process of its own,
    because hashes of this one are made cheap.
    """
    made = subprocess.run([sys.executable, "-c", _HASH], check=True, capture_output=True, text=True).stdout
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert asyncio.run(passwords.verify_password(made.strip(), "Correct-horse-7"))
    assert not asyncio.run(passwords.verify_password(made.strip(), "Correct-horse-8"))


async def test_nobody_has_a_password() -> None:
    assert not await passwords.verify_password(None, "nobody has this password")
    assert not await passwords.verify_password("what no hasher wrote", "nobody has this password")


@pytest.mark.parametrize("password", ["Sh0rt", "x" * 257, "no-upper-7", "NO-LOWER-7", "No-digit-no"])
def test_weak_ones_are_refused_by_name(password: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        passwords.check_strength(password)
    assert refused.value.field == ("password",)
