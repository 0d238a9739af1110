"""Prompts written by language models. None is on offer, so these answer as InvokeAI does for a model that is no such.

A model of the right type can be registered all the same; no worker runs one for a request, and that is said plainly.
"""

from __future__ import annotations

from contextlib import suppress

from invokeai_saas.catalog import service as catalog
from invokeai_saas.db.session import ReadSession
from invokeai_saas.errors import InvalidInput, NotServed, ServiceError
from invokeai_saas.gallery import service as gallery
from invokeai_saas.realtime.publisher import Publisher
from invokeai_saas.studio.schemas import ExpandPromptRequest, ImageToPromptRequest


async def expand_prompt(db: ReadSession, publisher: Publisher, asked: ExpandPromptRequest) -> None:
    """Raises: see `_refuse`."""
    await _refuse(db, publisher, asked.model_key, "text_llm", asked.task_id)


async def image_to_prompt(db: ReadSession, publisher: Publisher, asked: ImageToPromptRequest) -> None:
    """Raises NotFound for a picture that is not the person's, and what `_refuse` does."""
    await gallery.require(db, asked.image_name)
    await _refuse(db, publisher, asked.model_key, "llava_onevision", asked.task_id)


async def _refuse(db: ReadSession, publisher: Publisher, key: str, needed: str, task_id: str | None) -> None:
    """Refuses, and tells the page's progress bar, as InvokeAI does.

    Raises:
        NotFound: no such model.
        InvalidInput: a model of another type.
        NotServed: a model of the type needed, which no worker runs.
    """
    try:
        model = await catalog.require_model(db, key)
        if model.type != needed:
            raise InvalidInput(
                ("model_key",), f"This needs a model of type {needed}, and this one is {model.type}."
            )
        raise NotServed(
            "Language models that write prompts are not run here. Please write the prompt yourself."
        )
    except ServiceError as error:
        if task_id is not None:
            said = {"task_id": task_id, "user_id": str(db.user_id), "error": error.message}
            with suppress(Exception):  # an event may be lost: the answer says the same
                await publisher.publish(db.user_id, "llm_task_error", said)
        raise
