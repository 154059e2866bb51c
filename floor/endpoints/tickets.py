"""取号, 查号, 延后, 弃号, 评价, 过号恢复: what is done with a ticket."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from floor import commands, facts, refusals
from floor.answers import TakenAnswer, TicketAnswer
from floor.day import Day, Ticket
from floor.door import Floor, json_response
from floor.endpoints.words import carried_out, own, read, with_person, words_of
from floor.hall import Receipt
from floor.tokens import token_of
from floor.why import Lang, why


async def take(floor: Floor, request: Request) -> Response:
    words = with_person(floor, await words_of(request))
    receipt = await floor.do(read(words, commands.TakeTicket))
    return taken(floor, receipt)


def taken(floor: Floor, receipt: Receipt) -> Response:
    """What a kiosk prints of a new ticket, taken or checked in."""
    fact = receipt.entry.fact
    assert isinstance(fact, facts.TicketTaken | facts.AppointmentCheckedIn)
    # Seen from the durable day, which by now may be a few facts further on, or
    # even the next one, where another ticket has this number.
    day = floor.feed.day
    today = receipt.entry.stream == day.stream
    return json_response(
        TakenAnswer(
            ticket=fact.ticket,
            item=fact.item,
            ahead=day.ahead(day.tickets[fact.ticket]) if today else 0,
            windows=day.windows_for(fact.item),
            token=token_of(floor.key, receipt.entry.stream, fact.ticket),
            position=fact.position,
        ),
        201,
    )


async def ticket(floor: Floor, request: Request) -> Response:
    day = floor.feed.day
    known = day.tickets.get(request.path_params["ticket"])
    if known is None:
        raise refusals.UnknownTicket(ticket=request.path_params["ticket"])
    return json_response(_answer(day, known))


async def asked_why(floor: Floor, request: Request) -> Response:
    lang = request.query_params.get("lang", "zh")
    if lang not in ("zh", "en"):
        raise refusals.BadInput(
            name="lang", why="neither zh nor en", why_zh="应为 zh 或 en"
        )
    chosen: Lang = "en" if lang == "en" else "zh"
    feed = floor.feed
    return json_response(
        why(feed.day, feed.calls, request.path_params["ticket"], chosen)
    )


async def defer(floor: Floor, request: Request) -> Response:
    words = await _visitors_words(floor, request, needed=True)
    return carried_out(await floor.do(read(words, commands.DeferTicket)))


async def abandon(floor: Floor, request: Request) -> Response:
    words = await _visitors_words(floor, request)
    return carried_out(await floor.do(read(words, commands.AbandonTicket)))


async def evaluate(floor: Floor, request: Request) -> Response:
    words = await _visitors_words(floor, request)
    return carried_out(await floor.do(read(words, commands.Evaluate)))


async def requeue(floor: Floor, request: Request) -> Response:
    words = await words_of(request)
    words["ticket"] = request.path_params["ticket"]
    return carried_out(await floor.do(read(words, commands.RequeueTicket)))


async def _visitors_words(
    floor: Floor, request: Request, *, needed: bool = False
) -> dict[str, Any]:
    """The words of a visitor's command about a ticket; a token must be its own."""
    words = await words_of(request)
    words["ticket"] = request.path_params["ticket"]
    own(floor, floor.feed.day.stream, words["ticket"], words, needed=needed)
    return words


def _answer(day: Day, known: Ticket) -> TicketAnswer:
    return TicketAnswer(
        ticket=known.id,
        item=known.item,
        state=known.state,
        ahead=day.ahead(known),
        windows=day.windows_of(known),
        window=known.window or None,
        level=known.level,
    )
