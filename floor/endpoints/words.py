"""Words in, words out: what all paths of the JSON door read and answer alike."""

from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from floor import commands, facts, refusals
from floor.answers import CommandAnswer
from floor.door import BODY_BYTES_MAX, Floor, json_response, read_json
from floor.hall import Receipt
from floor.identity import cleaned
from floor.tokens import matches, person_of

C = TypeVar("C", bound=msgspec.Struct)

# An instant far outside of these years is beyond what a calendar can reckon with.
YEARS = range(2000, 2200)


async def words_of(request: Request, bytes_max: int = BODY_BYTES_MAX) -> dict[str, Any]:
    """The words of a command; its id must be a UUID at this door, or is chosen.

    Nobody says here who a person is to the log: `identity` does, and the hall's key.
    """
    words = await read_json(request, bytes_max)
    if not isinstance(words, dict):
        raise refusals.BadInput(
            name="body", why="not a JSON object", why_zh="应为 JSON 对象"
        )
    id = words.get("command_id")
    try:
        id = str(UUID(id)) if id is not None else str(uuid4())
    except (ValueError, AttributeError, TypeError):
        raise refusals.BadInput(
            name="command_id", why="not a UUID", why_zh="应为 UUID"
        ) from None
    words.pop("person", None)
    return words | {"command_id": id}


def with_person(
    floor: Floor, words: dict[str, Any], *, needed: bool = False
) -> dict[str, Any]:
    """The same words with the keyed hash of a person in the place of an identity.

    Raises:
        BadInput: it cannot be an identity, or is missing where it is needed.
    """
    words = dict(words)
    identity = words.pop("identity", None)
    if identity is not None:
        return words | {"person": person_of(floor.key, cleaned(identity))}
    if needed:
        raise refusals.BadInput(name="identity", why="missing", why_zh="缺少这一项")
    return words


def own(
    floor: Floor, series: str, name: str, words: dict[str, Any], *, needed: bool
) -> None:
    """Take the token out of the words; it must be that of this ticket or booking.

    Without one the words pass, unless it is needed: whoever stands at the hall's own
    kiosk need not have the link.

    Args:
        floor: with the hall's key.
        series: the stream of the ticket's day, or what stands for it.
        name: number of the ticket or the booking.
        words: of the body.
        needed: whether going without one is refused too.

    Raises:
        NotAllowed: it belongs to something else.
    """
    token = words.pop("token", None)
    if token is None and not needed:
        return
    if not isinstance(token, str) or not matches(floor.key, series, name, token):
        raise refusals.NotAllowed(
            why_zh="链接与号码不符", why="the link does not belong to this number"
        )


def read(words: dict[str, Any], shape: type[C]) -> C:
    """A command from its words; every instant in it is one of our time.

    Raises:
        BadInput: naming the field at fault.
    """
    command = commands.read(words, shape)
    for field in msgspec.structs.fields(command):
        at = getattr(command, field.name)
        if isinstance(at, datetime) and at.year not in YEARS:
            raise refusals.BadInput(
                name=field.name, why="not a year of our time", why_zh="年份有误"
            )
    return command


def carried_out(receipt: Receipt) -> Response:
    """What whoever asked for a command hears."""
    fact: facts.Fact = receipt.entry.fact
    return json_response(
        CommandAnswer(
            ticket=getattr(fact, "ticket", None),
            window=getattr(fact, "window", None) or None,
            position=fact.position,
            fact=receipt.entry.topic,
            at=fact.at.isoformat(),
            repeated=receipt.repeated,
        )
    )
