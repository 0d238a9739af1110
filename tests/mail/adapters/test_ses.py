"""SES when it is away."""

from __future__ import annotations

import pytest

from invokeai_saas.embedded.ports import free_port
from invokeai_saas.mail.adapters import NotSent
from invokeai_saas.mail.adapters.ses import SesAdapter
from invokeai_saas.settings import Settings
from tests.mail.adapters.ways import LOOPBACK, a_mail


def test_ses_being_away_is_said() -> None:
    settings = Settings.model_validate(
        {
            "ses_endpoint_url": f"http://{LOOPBACK}:{free_port()}",
            "aws_access_key_id": "testing",
            "aws_secret_access_key": "testing",
        }
    )
    adapter = SesAdapter(settings)
    with pytest.raises(NotSent, match="EndpointConnectionError") as caught:
        adapter.send(a_mail())
    assert not caught.value.final
    adapter.close()
