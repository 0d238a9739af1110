"""What may change about a model, and whether the record is one of InvokeAI's afterwards.

The page's form posts the whole record back. So what the server decides (key, path, hash, size, format) may be said
again as it is, and not otherwise: a path says whose files are loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

import jsonschema_rs
from pydantic import BaseModel, Field, JsonValue, StrictBool, field_validator

from invokeai_saas.catalog.nodes import NodeCatalog
from invokeai_saas.errors import InvalidInput

SourceType = Literal["path", "url", "hf_repo_id", "external"]
Short = Annotated[str, Field(max_length=512)]
Phrase = Annotated[str, Field(max_length=1000)]
_FIXED = ("key", "path", "hash", "file_size", "format", "config_path")
# Settings of services that are not connected: said of such a model only, and we have none.
_EXTERNAL = ("provider_id", "provider_model_id", "capabilities")
_DOCUMENT = "urn:invokeai-models"


class ModelChanges(BaseModel):
    """InvokeAI's ModelRecordChanges. A field that is not given stays as it is."""

    source: Annotated[str, Field(max_length=2048)] | None = None
    source_type: SourceType | None = None
    source_api_response: Annotated[str, Field(max_length=1_000_000)] | None = None
    source_url: Annotated[str, Field(max_length=2048)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    path: Annotated[str, Field(max_length=4096)] | None = None
    description: Annotated[str, Field(max_length=20_000)] | None = None
    base: Short | None = None
    type: Short | None = None
    key: Short | None = None
    hash: Short | None = None
    file_size: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    format: Short | None = None
    trigger_phrases: Annotated[list[Phrase], Field(max_length=200)] | None = None
    default_settings: dict[Short, JsonValue] | None = None
    provider_id: Short | None = None
    provider_model_id: Short | None = None
    capabilities: dict[Short, JsonValue] | None = None
    cpu_only: StrictBool | None = None
    variant: Short | None = None
    prediction_type: Short | None = None
    upcast_attention: StrictBool | None = None
    config_path: Annotated[str, Field(max_length=4096)] | None = None

    @field_validator("source_url", mode="before")
    @classmethod
    def _is_web_address(cls, value: Any) -> Any:
        if value in (None, ""):
            return None
        if isinstance(value, str) and not value.startswith(("https://", "http://")):
            raise ValueError("must be an http or https address")
        return value

    @field_validator("trigger_phrases")
    @classmethod
    def _each_once(cls, value: list[str] | None) -> list[str] | None:
        return list(dict.fromkeys(value)) if value is not None else None

    def given(self) -> dict[str, Any]:
        """The fields that were given, as JSON."""
        return self.model_dump(mode="json", exclude_unset=True)


class ModelRecords:
    """Checks records against InvokeAI's own schemas, exported at install time.

    Parameters:
        nodes: the export; `AnyModelConfig` of it is the union of all kinds of models.
    """

    def __init__(self, nodes: NodeCatalog) -> None:
        self._nodes = nodes

    @cached_property
    def _kinds(self) -> dict[str, dict[str, Any]]:
        """Schemas of the kinds of models, by name."""
        schemas = self._nodes.document["components"]["schemas"]
        names = [kind["$ref"].rpartition("/")[2] for kind in schemas["AnyModelConfig"]["oneOf"]]
        return {name: schemas[name] for name in names}

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        return jsonschema_rs.Registry([(_DOCUMENT, self._nodes.document)])

    def changed(self, record: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """The changes that are to be written.

        Parameters:
            record: the model's, as it is.
            changes: what was given.

        Raises InvalidInput: something that only the server decides, or a record that would be none of InvokeAI's.
        """
        for name in _FIXED:
            if name in changes and changes[name] != record.get(name):
                raise InvalidInput((name,), f"{name} of a model can't be changed.")
        for name in _EXTERNAL:
            if changes.get(name) is not None:
                raise InvalidInput((name,), "Models of other services are not offered.")
        wanted = {
            name: value for name, value in changes.items() if name not in _FIXED and name not in _EXTERNAL
        }
        kept = {name: value for name, value in wanted.items() if name in record or value is not None}
        if kept:
            self.check({**record, **kept})
        return kept

    def check(self, record: Mapping[str, Any]) -> None:
        """Raises InvalidInput for a record that is none of InvokeAI's, by name of the field where one is known."""
        kinds = [name for name, schema in self._kinds.items() if _fits(schema, record)]
        if not kinds:
            raise InvalidInput(
                ("type",), f"There is no model of type {record.get('type')} for {record.get('base')}."
            )
        errors = []
        for name in kinds:
            place = {"$ref": f"{_DOCUMENT}#/components/schemas/{name}"}
            validator = jsonschema_rs.Draft202012Validator(place, registry=self._registry)
            error = next(iter(validator.iter_errors(dict(record))), None)
            if error is None:
                return
            errors.append(error)
        path = tuple(str(part) for part in errors[0].instance_path) or ("type",)
        raise InvalidInput(path, str(errors[0].message)[:200])


def _fits(schema: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a record is of this kind, by what tells kinds apart."""
    fields = schema["properties"]
    return all(
        record.get(name) == fields[name]["const"]
        for name in ("type", "base", "format")
        if "const" in fields.get(name, {})
    )
