"""The JSON door's description of itself, made from the table that makes its routes."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from floor.answers import RefusalAnswer
from floor.door import Floor, Right
from floor.identity import IDENTITY_CHARS_MAX, IDENTITY_SENT

Handler = Callable[[Floor, Request], Awaitable[Response]]


class Endpoint(msgspec.Struct, frozen=True):
    """One row of the API: a route and its description.

    query, query_needed: words that may stand in the address, and that have to.
    token: whether the body holds the link of a ticket or booking.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    right: Right
    body: type[msgspec.Struct] | None
    answer: type[msgspec.Struct]
    status: int = 200
    query: tuple[str, ...] = ()
    query_needed: tuple[str, ...] = ()
    token: Literal["none", "optional", "needed"] = "none"


def document(endpoints: Sequence[Endpoint]) -> dict[str, object]:
    """The OpenAPI 3.1 document of these endpoints."""
    answers = {endpoint.answer for endpoint in endpoints} | {RefusalAnswer}
    bodies = {endpoint.body for endpoint in endpoints if endpoint.body}
    _, schemas = msgspec.json.schema_components(
        answers | bodies, ref_template=REFERENCE
    )
    for body in bodies:
        del schemas[body.__name__]  # Each stands with its path, without its words.
    paths: dict[str, dict[str, object]] = {}
    for endpoint in endpoints:
        operations = paths.setdefault(endpoint.path, {})
        operations[endpoint.method.lower()] = _operation(endpoint)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "叫好 Jiaohao", "version": VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    # Only Python knows \Z; every other reader takes $ for the end.
    text = msgspec.json.encode(whole).replace(rb"\\Z", b"$")
    return cast(dict[str, object], msgspec.json.decode(text))


REFERENCE = "#/components/schemas/{name}"
VERSION = "0.1.0"
REFUSED = {
    "403": "没有权限 Not allowed",
    "404": "没有这个对象 Nothing has that name",
    "409": "规则不允许 The rules say no; nothing changed",
    "413": "内容过大 The message is too large",
    "422": "输入有误 Bad input; `field` names it",
    "503": "暂时无法记录 Nothing could be recorded; nothing was done",
}


def _operation(endpoint: Endpoint) -> dict[str, object]:
    def answered(shape: type[msgspec.Struct], what: str) -> dict[str, object]:
        schema = {"$ref": REFERENCE.format(name=shape.__name__)}
        return {
            "description": what,
            "content": {"application/json": {"schema": schema}},
        }

    in_path = re.findall(r"{(\w+)}", endpoint.path)
    what = (endpoint.answer.__doc__ or "").strip()
    operation: dict[str, object] = {
        "summary": endpoint.summary,
        "parameters": [
            *(_parameter(name, "path", needed=True) for name in in_path),
            *(_parameter(name, "query", needed=True) for name in endpoint.query_needed),
            *(_parameter(name, "query", needed=False) for name in endpoint.query),
        ],
        "responses": {
            str(endpoint.status): answered(endpoint.answer, what),
            **{code: answered(RefusalAnswer, why) for code, why in REFUSED.items()},
        },
    }
    if endpoint.body is not None:
        schema = _body_schema(endpoint, endpoint.body, in_path)
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _parameter(name: str, place: str, *, needed: bool) -> dict[str, object]:
    text = {"type": "string"}
    return {"name": name, "in": place, "required": needed, "schema": text}


def _body_schema(
    endpoint: Endpoint, shape: type[msgspec.Struct], in_path: Sequence[str]
) -> dict[str, Any]:
    """What the body of a command may hold: its words without those of the path."""
    _, components = msgspec.json.schema_components((shape,), ref_template=REFERENCE)
    schema: dict[str, Any] = components[shape.__name__]
    properties, required = schema["properties"], set(schema["required"])
    for name in ("command", *in_path):
        properties.pop(name, None)
    properties["command_id"] = {"type": "string", "format": "uuid"}
    if properties.pop("person", None):
        # The door makes the one out of the other (floor.tokens).
        properties["identity"] = {
            "type": "string",
            "pattern": IDENTITY_SENT,
            "maxLength": IDENTITY_CHARS_MAX,
        }
        required |= {"identity"} if "person" in required else set()
    if endpoint.token != "none":
        properties["token"] = {"type": "string"}
        required |= {"token"} if endpoint.token == "needed" else set()
    required -= {"command_id"}  # The door chooses one.
    schema["required"] = sorted(required & set(properties))
    return schema
