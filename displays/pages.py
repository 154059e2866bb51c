"""The pages (网页) that visitors open: screen, kiosk, rating, and the way there.

A page is a template with its words in both languages; what is live in it comes over
`/ws/screen/{name}`, and what a visitor does goes through the JSON door.
"""

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import jinja2
import segno
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from displays.frames import CALLS_MAX
from floor import refusals, tokens
from floor.answers import WhyAnswer
from floor.day import Day, Ticket
from floor.door import Floor, Right
from floor.facts import LEVEL_ZH, Level
from floor.why import Lang, why

HERE = Path(__file__).parent
# The last few fit a phone; all of them are in the JSON door's answer.
OVERTAKEN_MAX = 6
SCREEN_NAME = r"[A-Za-z0-9_-]{1,40}"
TICKET = r"[A-Z]{1,3}\d{3,6}"
LEVEL_EN: dict[Level, str] = {
    Level.VERY_SATISFIED: "Very satisfied",
    Level.SATISFIED: "Satisfied",
    Level.BASICALLY_SATISFIED: "Basically satisfied",
    Level.DISSATISFIED: "Dissatisfied",
    Level.VERY_DISSATISFIED: "Very dissatisfied",
}

#: What a visitor who opens the rating page is told.
Stage = Literal[
    "rate", "waiting", "called", "serving", "rated", "missed", "unknown", "wrong_link"
]


def routes(floor: Floor) -> Sequence[BaseRoute]:
    """The routes of all pages for visitors and of their files."""
    page = Pages(floor)
    return [
        Route("/", page.index),
        Route("/screens/{name}", page.screen),
        Route("/kiosk", page.kiosk),
        Route("/kiosk/qr/{ticket}.svg", page.qr),
        Route("/rate/{ticket}", page.rate),
        Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
    ]


class Pages:
    """Every page, for one hall."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    async def index(self, request: Request) -> Response:
        """Where to find everything."""
        self._floor.gate.admit(request, Right.VISIT)
        return self._page(request, "index.html")

    async def screen(self, request: Request) -> Response:
        """大厅屏: the last calls and the waiting lines."""
        self._floor.gate.admit(request, Right.VISIT)
        name = request.path_params["name"]
        if not _is(SCREEN_NAME, name):
            return self._page(request, "missing.html", 404)
        return self._page(request, "screen.html", screen=name, calls_max=CALLS_MAX)

    async def kiosk(self, request: Request) -> Response:
        """取号机: one touch takes a ticket."""
        self._floor.gate.admit(request, Right.VISIT)
        return self._page(request, "kiosk.html")

    async def qr(self, request: Request) -> Response:
        """The QR code of a ticket's own page, for the kiosk that has just taken it."""
        self._floor.gate.admit(request, Right.VISIT)
        ticket = request.path_params["ticket"]
        token = request.query_params.get("token", "")
        if not _is(TICKET, ticket):
            return self._page(request, "missing.html", 404)
        if not self._matches(ticket, token):
            raise refusals.NotAllowed(
                why_zh="链接与票号不符", why="the link does not belong to the ticket"
            )
        link = request.url.replace(path=f"/rate/{ticket}", query=f"token={token}")
        return Response(qr_svg(str(link)), media_type="image/svg+xml")

    async def rate(self, request: Request) -> Response:
        """评价: five levels once the service is over; until then, where one is."""
        self._floor.gate.admit(request, Right.VISIT)
        id = request.path_params["ticket"]
        if not _is(TICKET, id):
            return self._page(request, "missing.html", 404)
        day = self._floor.feed.day
        ticket = day.tickets.get(id)
        token = request.query_params.get("token", "")
        if token and not self._matches(id, token):
            stage: Stage = "wrong_link"
        else:
            stage = stage_of(ticket)
        status = {"wrong_link": 403, "unknown": 404}.get(stage, 200)
        return self._page(
            request,
            "rate.html",
            status,
            ticket=id,
            token=token,
            stage=stage,
            ahead=day.ahead(ticket) if ticket else 0,
            windows=_windows(day, ticket),
            why=self._why(request, stage, id),
            overtaken_max=OVERTAKEN_MAX,
            levels=[(level, zh, LEVEL_EN[level]) for level, zh in LEVEL_ZH.items()],
        )

    def _why(self, request: Request, stage: Stage, ticket: str) -> WhyAnswer | None:
        """Who was called before; None when it is no time to ask."""
        if stage not in ("waiting", "called", "serving"):
            return None
        feed = self._floor.feed
        return why(feed.day, feed.calls, ticket, _lang(request))

    def _matches(self, ticket: str, token: str) -> bool:
        floor = self._floor
        return tokens.matches(floor.key, floor.feed.day.stream, ticket, token)

    def _page(
        self, request: Request, template: str, status: int = 200, **words: object
    ) -> Response:
        english = _lang(request) == "en"
        there = request.url.include_query_params(lang="zh" if english else "en")
        text = self._templates.get_template(template).render(
            t=_english if english else _chinese,
            lang="en" if english else "zh-CN",
            lang_query="?lang=en" if english else "",
            other_lang=f"{there.path}?{there.query}",
            catalogue=self._floor.feed.day.catalogue,
            **words,
        )
        return Response(text, status, media_type="text/html")


def stage_of(ticket: Ticket | None) -> Stage:
    """How far the visitor of a ticket is with rating; None is an unknown ticket."""
    if ticket is None:
        return "unknown"
    match ticket.state:
        case "served":
            return "rate" if ticket.level is None else "rated"
        case "waiting" | "called" | "serving":
            return ticket.state
        case "held":  # 挂起: the window keeps it, and will go on with it.
            return "serving"
        case "no_show" | "abandoned" | "closed":
            return "missed"


def qr_svg(link: str) -> bytes:
    """A QR code as SVG, dark on transparent, with its quiet zone."""
    # Level M stands a scratched or glaring kiosk glass; the size stays readable.
    drawn = io.BytesIO()
    segno.make(link, error="m", micro=False).save(
        drawn, kind="svg", border=4, omitsize=True, xmldecl=False
    )
    return drawn.getvalue()


def _windows(day: Day, ticket: Ticket | None) -> list[str]:
    """Where the visitor goes, or will be called to."""
    if ticket is None:
        return []
    return day.windows_of(ticket)


def _lang(request: Request) -> Lang:
    return "en" if request.query_params.get("lang") == "en" else "zh"


def _is(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _chinese(zh: str, en: str) -> str:
    return zh


def _english(zh: str, en: str) -> str:
    return en
