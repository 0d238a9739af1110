"""The wire of uploads."""

from __future__ import annotations

from pydantic import BaseModel, Field, ValidationError, model_validator

from invokeai_saas.errors import BadRequest
from invokeai_saas.gallery.schemas import Category

MOST_RESIZED_PIXELS = 4096 * 4096  # as in InvokeAI


class UploadParameters(BaseModel):
    """What stands in the query. The file and its metadata are the form's."""

    image_category: Category
    is_intermediate: bool
    board_id: str | None = Field(default=None, max_length=255)
    session_id: str | None = Field(default=None, max_length=255, pattern=r"^[^\x00]*$")
    crop_visible: bool | None = False


class Dimensions(BaseModel):
    """Parameters: width, height: pixels."""

    width: int = Field(gt=0)
    height: int = Field(gt=0)

    @model_validator(mode="after")
    def _bounded(self) -> Dimensions:
        if self.width * self.height > MOST_RESIZED_PIXELS:
            raise ValueError("too many pixels")
        return self


def parse_dimensions(text: str | None) -> Dimensions | None:
    """The form's `resize_to`, a JSON text. Raises BadRequest."""
    if not text:
        return None
    try:
        return Dimensions.model_validate_json(text)
    except ValidationError as error:
        raise BadRequest(
            'Invalid resize_to: it must be like {"width": 512, "height": 512},'
            f" with at most {MOST_RESIZED_PIXELS} pixels in all."
        ) from error


_TEXT = {"anyOf": [{"type": "string"}, {"type": "null"}]}
# The body is read by the endpoint itself, once it knows who is sending it.
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "title": "Body_upload_image",
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "resize_to": _TEXT,
                        "metadata": _TEXT,
                    },
                }
            }
        },
    }
}
