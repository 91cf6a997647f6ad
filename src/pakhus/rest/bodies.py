"""What goes in and out as JSON: bounded bodies, members in Nexus's spelling, times in its notation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError
from pydantic.alias_generators import to_camel

from pakhus.domain.errors import Invalid
from pakhus.kit.wire import parse_json, read_body
from pakhus.rest.problems import Flawed, Unreadable, flawed

MAX_BODY = 1 << 20
NUL = rb"\u0000"
"""No text of ours has it, and PostgreSQL takes none that has."""
REQUIRED = "must not be null"


class Shape(BaseModel):
    """A JSON object: camelCase outside, unknown members ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class NativeShape(BaseModel):
    """A JSON object of the native API: snake_case."""

    model_config = ConfigDict(extra="ignore")


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


Moment = Annotated[datetime, PlainSerializer(_written, return_type=str)]
"""ISO 8601 with milliseconds and offset: `2024-01-31T10:11:12.345+00:00`."""

Text = Annotated[str, Field(min_length=1)]


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _or_empty(value: Any) -> Any:
    return "" if value is None else value


AnyCaseUpper = BeforeValidator(_upper)
AnyCaseLower = BeforeValidator(_lower)
NullIsEmpty = BeforeValidator(_or_empty)

Model = TypeVar("Model", bound=BaseModel)


class Taking(Generic[Model]):
    """A dependency: the request's body as a model. Its schema goes into the OpenAPI document."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model

    async def __call__(self, request: Request) -> Model:
        try:
            return self.model.model_validate(await json_body(request))
        except ValidationError as error:
            raise flawed(error) from error


class Mapped:
    """A dependency: the request's body as a JSON object that a service validates; `schema` describes it."""

    def __init__(self, schema: type[BaseModel]) -> None:
        self.model = schema

    async def __call__(self, request: Request) -> dict[str, Any]:
        body = await json_body(request)
        if not isinstance(body, dict):
            raise Flawed([("*", "must be an object")])
        return body


async def json_body(request: Request) -> Any:
    """The parsed body, of one MiB at most."""
    body = await read_body(request.stream(), limit=MAX_BODY)
    if not body.strip():
        raise Flawed([("PARAMETER body", REQUIRED)])
    if NUL in body:
        raise Unreadable("Could not process the input: no text may contain the character U+0000")
    try:
        return parse_json(body)
    except Invalid as error:
        raise Unreadable(f"Could not process the input: {error.message}") from error


async def text_body(request: Request) -> str:
    """A body of plain text."""
    body = await read_body(request.stream(), limit=MAX_BODY)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid("the body is not UTF-8") from error
