"""大厅与窗口: a clerk's commands, the hall as it is, and what its manager decides."""

from starlette.requests import Request
from starlette.responses import Response

from floor import commands, refusals
from floor.answers import AlarmAnswer, HallAnswer, ItemAnswer, WindowAnswer
from floor.commands import Command
from floor.door import Floor, json_response
from floor.endpoints.words import carried_out, read, words_of
from floor.written import FILE_BYTES_MAX

# A file in TOML comes as JSON of much the same length; twice that is always enough.
CATALOGUE_BYTES_MAX = 2 * FILE_BYTES_MAX


async def window_command(floor: Floor, request: Request) -> Response:
    word = request.scope["path"].rpartition("/")[2]
    shape = commands.WINDOW_COMMANDS.get(word)
    if shape is None:
        raise refusals.UnknownCommand(command=word)
    words = await words_of(request)
    words["window"] = request.path_params["window"]
    return carried_out(await floor.do(read(words, shape)))


async def close(floor: Floor, request: Request) -> Response:
    return await _carry_out(floor, request, commands.CloseHall)


async def reopen(floor: Floor, request: Request) -> Response:
    return await _carry_out(floor, request, commands.ReopenHall)


async def outage(floor: Floor, request: Request) -> Response:
    return await _carry_out(floor, request, commands.DeclareOutage)


async def publish(floor: Floor, request: Request) -> Response:
    words = await words_of(request, CATALOGUE_BYTES_MAX)
    return carried_out(await floor.do(read(words, commands.PublishCatalogue)))


async def hall(floor: Floor, request: Request) -> Response:
    day = floor.feed.day
    return json_response(
        HallAnswer(
            hall=day.catalogue.hall,
            name=day.catalogue.name,
            name_en=day.catalogue.name_en,
            date=day.date.isoformat(),
            closed=day.closed,
            position=floor.feed.position,
            items=[
                ItemAnswer(
                    id=item.id,
                    name=item.name,
                    name_en=item.name_en,
                    waiting=len(day.lines[item.id]),
                    windows=day.windows_for(item.id),
                )
                for item in day.items.values()
            ],
            windows=[
                WindowAnswer(
                    id=window.id,
                    name=window.name,
                    name_en=window.name_en,
                    state=day.places[window.id].state,
                    ticket=day.places[window.id].ticket or None,
                    clerk=day.places[window.id].clerk or None,
                    items=list(window.items),
                )
                for window in day.windows.values()
            ],
            alarms=[
                AlarmAnswer(code=alarm.code, message=alarm.message)
                for alarm in (floor.upkeep.alarms if floor.upkeep else ())
            ],
        )
    )


async def _carry_out(floor: Floor, request: Request, shape: type[Command]) -> Response:
    return carried_out(await floor.do(read(await words_of(request), shape)))
