"""The manager's page and its JSON: the assessment of this hall, at any instant.

Computed in a thread, one at a time, from the durable log: however long the log is, a
clerk's key never waits for a report.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import takewhile

from msgspec.structs import replace
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from floor import refusals
from floor.door import Floor, Right
from floor.facts import Entry
from scoring import rulebook
from scoring.assessment import Assessment, NothingToAssess, assess
from scoring.instant import BadInstant, parse_instant
from scoring.report import CSS, Lang, to_html, to_json

# A manager looks at a handful of windows and instants, back and forth.
KEPT_MAX = 8

Read = Callable[[], Iterable[Entry]]
Key = tuple[int, datetime | None]


def routes(
    floor: Floor, read: Read, book: rulebook.Rulebook | None = None
) -> Sequence[BaseRoute]:
    """`/score`, `/api/score` and `/score.css`.

    Args:
        floor: the hall.
        read: reads its whole log, in order of position; called in a thread.
        book: the rulebook; the sample when None.
    """
    office = _Office(floor, read, book or rulebook.load())

    async def page(request: Request) -> Response:
        floor.gate.admit(request, Right.READ)
        lang = _lang(request)
        assessment = await office.asked(request)
        asked = {
            "as_of": request.query_params.get("as_of", ""),
            "window": request.query_params.get("window", ""),
        }
        return HTMLResponse(
            await run_in_threadpool(
                to_html, assessment, lang, standalone=False, asked=asked
            )
        )

    async def json(request: Request) -> Response:
        floor.gate.admit(request, Right.READ)
        assessment = await office.asked(request)
        text = await run_in_threadpool(to_json, assessment)
        return Response(text, media_type="application/json")

    async def style(request: Request) -> Response:
        floor.gate.admit(request, Right.READ)
        return FileResponse(CSS, media_type="text/css")

    return [
        Route("/score", page),
        Route("/api/score", json),
        Route("/score.css", style),
    ]


class _Office:
    """Assesses on request, one at a time, and keeps the last few results."""

    def __init__(self, floor: Floor, read: Read, book: rulebook.Rulebook) -> None:
        self._floor = floor
        self._read = read
        self._book = book
        self._one = asyncio.Lock()
        self._kept: OrderedDict[Key, Assessment] = OrderedDict()

    async def asked(self, request: Request) -> Assessment:
        """The assessment that the query asks for.

        Raises:
            BadInput: `as_of` is no instant, or lies before the first fact.
            UnknownWindow: no such window.
        """
        at = self._instant(request.query_params.get("as_of", ""))
        try:
            whole = await self._at(at)
        except NothingToAssess as error:
            raise _bad("as_of", error.message) from None
        window = request.query_params.get("window", "")
        if not window:
            return whole
        chosen = tuple(score for score in whole.windows if score.window == window)
        if not chosen:
            raise refusals.UnknownWindow(window=window)
        return replace(whole, windows=chosen)

    async def _at(self, at: datetime | None) -> Assessment:
        async with self._one:
            # The log up to here never changes, so neither does what it amounts to.
            position = self._floor.feed.position
            known = self._kept.get((position, at))
            if known is None:
                known = await run_in_threadpool(self._assess, position, at)
                self._kept[position, at] = known
            self._kept.move_to_end((position, at))
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
            return known

    def _assess(self, position: int, at: datetime | None) -> Assessment:
        durable = takewhile(lambda entry: entry.position <= position, self._read())
        return assess(durable, self._book, as_of=at)

    def _instant(self, text: str) -> datetime | None:
        if not text:
            return None
        # A plus sign that was not escaped arrives as a blank.
        text = re.sub(r"(T[\d:.]+) (\d\d:?\d\d)\Z", r"\1+\2", text)
        try:
            return parse_instant(text, self._floor.feed.day.catalogue.zone)
        except BadInstant as error:
            raise _bad("as_of", error.message) from None


def _lang(request: Request) -> Lang:
    match request.query_params.get("lang", "zh"):
        case "zh":
            return "zh"
        case "en":
            return "en"
        case _:
            raise _bad("lang", {"zh": "应为 zh 或 en", "en": "zh or en"})


def _bad(name: str, message: dict[str, str]) -> refusals.BadInput:
    return refusals.BadInput(name=name, why="{zh} ({en})".format(**message))
