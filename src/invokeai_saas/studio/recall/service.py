"""The rules of recall: settings are remembered as they were sent, and go out to their person's open pages resolved.

Models are named and looked up among those that the person can see; one that is not there is left out, as InvokeAI
does. Pictures must be the person's own.
"""

from __future__ import annotations

from typing import Any

import orjson

from invokeai_saas.catalog import service as catalog
from invokeai_saas.db.session import ReadSession, WriteSession
from invokeai_saas.errors import InvalidInput, NotFound
from invokeai_saas.gallery import service as gallery
from invokeai_saas.queue.events import QUEUE_ID
from invokeai_saas.services import Services
from invokeai_saas.studio import service as studio
from invokeai_saas.studio.recall.schemas import (
    LISTS,
    ControlLayer,
    IPAdapter,
    Lora,
    NothingRecalled,
    Recalled,
    RecallParameters,
    ReferenceImage,
    StoredParameters,
)

_PREFIX = "recall_"  # of the keys among the page's state, where InvokeAI keeps them too
# Kinds of model that a name may be of, in the order in which InvokeAI tries them.
_MAIN = ("main",)
_LORA = ("lora",)
_CONTROL = ("controlnet", "t2i_adapter", "lora")
_IP_ADAPTER = ("ip_adapter", "flux_redux")
_Adapter = ControlLayer | IPAdapter


async def recall(
    shared: Services, session: WriteSession, given: RecallParameters, *, strict: bool, append: bool
) -> Recalled | NothingRecalled:
    """Remembers settings and tells the person's open pages.

    Parameters:
        strict: what is not given is cleared.
        append: reference pictures come beside those that the page has.

    Raises:
        InvalidInput: both at once.
        NotFound: a picture that is not the person's.
        Conflict: the page's state is full.
    """
    if strict and append:
        raise InvalidInput(
            ("append",), "A strict request clears what is not given: it cannot append as well."
        )
    resolver = await _Resolver.of(session, given)
    sent = given.model_dump(mode="json", exclude_none=not strict)
    if strict:
        sent |= {name: [] for name in LISTS if sent[name] is None}
    if not sent:
        return NothingRecalled()
    await studio.set_states(
        session, {f"{_PREFIX}{name}": orjson.dumps(value).decode() for name, value in sent.items()}
    )
    parameters = sent | resolver.resolved(given)
    if given.model is not None and resolver.key(given.model, _MAIN) is None:
        del parameters["model"]
    if append:
        parameters["append"] = True
    payload = {"queue_id": QUEUE_ID, "user_id": str(session.user_id), "parameters": parameters}
    session.after_commit(
        lambda: shared.publisher.publish(session.user_id, "recall_parameters_updated", payload)
    )
    return Recalled(queue_id=QUEUE_ID, updated_count=len(sent), parameters=parameters)


async def stored(session: ReadSession) -> StoredParameters:
    """What is remembered. A program may have written anything to those keys: what is no JSON is passed over."""
    keys = {f"{_PREFIX}{name}": name for name in RecallParameters.model_fields}
    found: dict[str, Any] = {}
    for key, text in (await studio.get_states(session, list(keys))).items():
        try:
            found[keys[key]] = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
    return StoredParameters(queue_id=QUEUE_ID, parameters=found)


class _Resolver:
    """Names of models and pictures, looked up at once.

    Parameters:
        keys: of models, by type and name.
        sizes: (width, height) in pixels, by name of picture.
    """

    def __init__(self, keys: dict[tuple[str, str], str], sizes: dict[str, tuple[int, int]]) -> None:
        self._keys, self._sizes = keys, sizes

    @classmethod
    async def of(cls, session: WriteSession, given: RecallParameters) -> _Resolver:
        """Raises NotFound for a picture that is not the person's."""
        adapters: list[_Adapter] = [*(given.control_layers or []), *(given.ip_adapters or [])]
        names = [part.model_name for part in [*adapters, *(given.loras or [])]]
        names += [given.model] if given.model is not None else []
        named = [part.image_name for part in [*adapters, *(given.reference_images or [])]]
        pictures = [name for name in named if name is not None]
        rows = await gallery.by_names(session, pictures)
        sizes = {row["image_name"]: (row["width"], row["height"]) for row in rows if row["kind"] == "image"}
        if set(pictures) - sizes.keys():
            raise NotFound("A picture that is named here")
        return cls(await catalog.keys_by_name(session, names), sizes)

    def key(self, name: str, kinds: tuple[str, ...]) -> str | None:
        """Of the first kind that has a model of this name."""
        return next((self._keys[kind, name] for kind in kinds if (kind, name) in self._keys), None)

    def resolved(self, given: RecallParameters) -> dict[str, Any]:
        """The settings that name models or pictures, as the page understands them."""
        found: dict[str, Any] = {}
        if given.model is not None:
            found["model"] = self.key(given.model, _MAIN)
        if given.loras is not None:
            found["loras"] = [
                self._lora(key, lora) for lora in given.loras if (key := self.key(lora.model_name, _LORA))
            ]
        for name, kinds in (("control_layers", _CONTROL), ("ip_adapters", _IP_ADAPTER)):
            adapters: list[_Adapter] | None = getattr(given, name)
            if adapters is not None:
                found[name] = [
                    self._adapter(key, adapter)
                    for adapter in adapters
                    if (key := self.key(adapter.model_name, kinds))
                ]
        if given.reference_images is not None:
            found["reference_images"] = [self._reference(part) for part in given.reference_images]
        return found

    def _lora(self, key: str, lora: Lora) -> dict[str, Any]:
        return {"model_key": key} | lora.model_dump(exclude={"model_name"})

    def _adapter(self, key: str, adapter: _Adapter) -> dict[str, Any]:
        found = {"model_key": key} | adapter.model_dump(
            exclude={"model_name", "image_name"}, exclude_none=True
        )
        return found | ({} if adapter.image_name is None else {"image": self._picture(adapter.image_name)})

    def _reference(self, part: ReferenceImage) -> dict[str, Any]:
        return {"image": self._picture(part.image_name)}

    def _picture(self, name: str) -> dict[str, Any]:
        width, height = self._sizes[name]
        return {"image_name": name, "width": width, "height": height}
