"""What the clerk sees: six panels, each drawn from one `View` and nothing else.

Widths are terminal cells: a Chinese character takes two. No panel asks another one or
the server, so a panel can be drawn under a dialog, offline, or before the first board.
"""

from abc import abstractmethod
from datetime import datetime
from typing import Literal

import msgspec
from rich.cells import cell_len, set_cell_size
from textual.content import Content
from textual.widget import Widget

from callers import keys, labels, letters
from callers.client import Link
from callers.labels import Label, Lang
from callers.messages import Board, InHand, Last, Line, Waiting

# Counts of more items than this would leave no room for the tickets.
ITEM_ROWS_MAX = 4

# Contrast on the panels' ground (#101826) is 7:1 or better, by WCAG.
DIM = "#9fb0c6"
BRIGHT = "bold #ffffff"
CALLED = "#ffcf5c"
SERVING = "#6fe0a3"
LATE = "bold #ff9d8a"


Tone = Literal["done", "refused", "asks", "quiet"]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """All that is shown at one instant.

    now: the hall's clock; None before the first board.
    said: the last answer, refusal or question; with its tone.
    """

    lang: Lang
    window: str
    link: Link
    board: Board | None
    now: datetime | None
    said: Label
    tone: Tone


class Panel(Widget):
    """A part of the screen that draws the view it was shown last."""

    view: View | None = None
    _drawn: Content = Content("")

    def show(self, view: View) -> None:
        """Show this from now on; nothing goes to the terminal unless it looks new."""
        self.view = view
        if not self._draw().is_same(self._drawn):
            self.refresh()

    def on_resize(self) -> None:
        self.refresh()

    def render(self) -> Content:
        self._drawn = self._draw()
        return self._drawn

    def _draw(self) -> Content:
        size = self.content_size
        if self.view is None or not size.width:
            return Content("")
        return self.draw(self.view, size.width, size.height)

    @abstractmethod
    def draw(self, view: View, width: int, height: int) -> Content:
        """The view, in so many cells."""


# ── Bars ────────────────────────────────────────────────────────────────────


class TopBar(Panel):
    """Hall, window, clerk; the connection at the right."""

    def draw(self, view: View, width: int, height: int) -> Content:
        board, lang = view.board, view.lang
        window = labels.WINDOW.fill(window=view.window).text(lang)
        parts = [window]
        if board is not None:
            parts = [
                board.hall if lang == "zh" else board.hall_en,
                f"{window} {board.name if lang == 'zh' else board.name_en}",
                _clerk(board).text(lang),
            ]
        link = LINKS[view.link].text(lang)
        left = set_cell_size("  ".join(parts), width - cell_len(link) - 2)
        colour = SERVING if view.link == "online" else LATE
        return Content.assemble((left, BRIGHT), "  ", (link, colour))


class LinkBar(Panel):
    """Says in red that keys do nothing now; gone while the hall can be reached."""

    def draw(self, view: View, width: int, height: int) -> Content:
        bar = BARS.get(view.link)
        if bar is None:
            return Content("")
        return Content(bar.fill(window=view.window).text(view.lang))


class SaidPanel(Panel):
    """The last answer, refusal or question."""

    def show(self, view: View) -> None:
        self.set_classes(view.tone)
        super().show(view)

    def draw(self, view: View, width: int, height: int) -> Content:
        return Content(view.said.text(view.lang))


class KeyLines(Panel):
    """Keys in two rows; those that make sense now are bright."""

    def draw(self, view: View, width: int, height: int) -> Content:
        online = view.link == "online" and view.board is not None
        state = view.board.state if online and view.board else None
        shown = [(key, state in key.states) for key in keys.STEPS]
        shown += [(key, True) for key in keys.OWN]
        rows: list[Content] = []
        for first in range(0, len(shown), KEYS_A_ROW):
            row = shown[first : first + KEYS_A_ROW]
            rows.append(
                Content("").join(
                    self._key(key, bright, view, width // KEYS_A_ROW)
                    for key, bright in row
                )
            )
        return Content("\n").join(rows)

    def _key(self, key: keys.Key, bright: bool, view: View, width: int) -> Content:
        label = key.label
        if key.word == "pause" and view.board and view.board.state == "paused":
            label = labels.RESUME
        text = set_cell_size(label.text(view.lang), width - len(key.shown) - 1)
        style = BRIGHT if bright else DIM
        key_style = f"bold {CALLED}" if bright else DIM
        return Content.assemble((key.shown, key_style), " ", (text, style))


KEYS_A_ROW = 6

LINKS: dict[Link, Label] = {
    "connecting": labels.LINK_CONNECTING,
    "online": labels.LINK_ONLINE,
    "offline": labels.LINK_OFFLINE,
    "not_allowed": labels.LINK_NOT_ALLOWED,
    "unknown_window": labels.LINK_UNKNOWN,
    "unreadable": labels.LINK_UNREADABLE,
}
#: Why keys do nothing; online they do.
BARS: dict[Link, Label] = {
    "connecting": labels.BAR_CONNECTING,
    "offline": labels.BAR_OFFLINE,
    "not_allowed": labels.BAR_NOT_ALLOWED,
    "unknown_window": labels.BAR_UNKNOWN,
    "unreadable": labels.BAR_UNREADABLE,
}


def _clerk(board: Board) -> Label:
    return labels.CLERK.fill(clerk=board.clerk) if board.clerk else labels.NOBODY


# ── The ticket in hand ──────────────────────────────────────────────────────


class HandPanel(Panel):
    """The window's state, and the ticket in hand as large as there is room."""

    def draw(self, view: View, width: int, height: int) -> Content:
        board = view.board
        if board is None or view.now is None:
            return Content("")
        held, lang = board.in_hand, view.lang
        state = labels.HALL_CLOSED if board.closed else labels.STATE[board.state]
        rows: list[Content | str] = [Content.styled(state.text(lang), _colour(board))]
        if held is None:
            rows += ["", Content.styled(_hint(board).text(lang), BRIGHT)]
        else:
            rows += ["", *_big(held.ticket, width, _colour(board)), ""]
            rows += _details(held, view.now, lang)
        if board.last is not None:
            rows += ["", Content.styled(_last(board.last, lang), DIM)]
        return Content("\n").join(rows)


def _colour(board: Board) -> str:
    if board.state == "serving":
        return SERVING
    return DIM if board.state == "closed" else CALLED


def _hint(board: Board) -> Label:
    if board.closed:
        return Label("", "")
    if board.state == "free":
        return labels.HINT_FREE if board.waiting else labels.HINT_NOBODY
    return labels.HINT_PAUSED if board.state == "paused" else labels.HINT_CLOSED


def _big(ticket: str, width: int, colour: str) -> list[Content]:
    """The number in block letters; dots two cells wide are square."""
    scale = next((s for s in (2, 1) if s * letters.width(ticket) <= width), 0)
    if not scale:
        return [Content.styled(ticket, BRIGHT)]
    big = []
    for row in letters.rows(ticket):
        dots = [
            (" " * scale, f"on {colour}") if dot == "#" else (" " * scale, "")
            for dot in row
        ]
        big.append(Content.assemble(*dots))
    return big


def _details(held: InHand, now: datetime, lang: Lang) -> list[Content | str]:
    name = held.name if lang == "zh" else held.name_en
    kind = labels.KIND[held.kind].text(lang)
    times = labels.TIMES.fill(times=held.times).text(lang)
    head = Content.assemble(
        (held.ticket, BRIGHT), "  ", (name, BRIGHT), "  ", (kind, f"bold {CALLED}")
    )
    if held.started_at is None:
        since = labels.SINCE_CALL.fill(time=_clock(now, held.called_at)).text(lang)
        return [head, Content.assemble((times, DIM), "  ", since)]
    standard = f"{held.service_s // 60}:{held.service_s % 60:02d}"
    served = labels.SINCE_START.fill(
        time=_clock(now, held.started_at), standard=standard
    )
    rows: list[Content | str] = [head, served.text(lang)]
    if (now - held.started_at).total_seconds() > held.service_s:
        rows.append(Content.styled(labels.OVERTIME.text(lang), LATE))
    return rows


def _last(last: Last, lang: Lang) -> str:
    rating = labels.INVITED if last.invited else labels.NOT_INVITED
    rating = labels.RATED if last.rated else rating
    return labels.LAST.fill(ticket=last.ticket, rating=rating).text(lang)


def _clock(now: datetime, since: datetime) -> str:
    """Minutes and seconds that have passed, `3:05`; never less than none."""
    passed_s = max(0, int((now - since).total_seconds()))
    return f"{passed_s // 60}:{passed_s % 60:02d}"


# ── The waiting line ────────────────────────────────────────────────────────


class LinePanel(Panel):
    """Who waits for this window: counts by item, then the next tickets."""

    def draw(self, view: View, width: int, height: int) -> Content:
        board = view.board
        if board is None or view.now is None:
            return Content("")
        waiting = sum(line.waiting for line in board.lines)
        title = labels.WAITING.fill(waiting=waiting).text(view.lang)
        rows: list[Content | str] = [Content.styled(title, BRIGHT)]
        rows += _counts(board.lines, view.lang, width)
        rows.append("")
        room = height - len(rows)
        fits = len(board.waiting) <= room and waiting == len(board.waiting)
        shown = board.waiting if fits else board.waiting[: max(0, room - 1)]
        names = {line.item: _name(line, view.lang) for line in board.lines}
        number = 1 + max((len(ticket.ticket) for ticket in shown), default=0)
        for ticket in shown:
            name = names.get(ticket.item, ticket.item)
            wait = _wait(ticket, view.now, view.lang)
            rows.append(_row(ticket.ticket, number, name, wait, width))
        if not fits:
            more = labels.MORE_TICKETS.fill(waiting=waiting - len(shown))
            rows.append(Content.styled(more.text(view.lang), DIM))
        return Content("\n").join(rows)


def _name(line: Line, lang: Lang) -> str:
    return line.name if lang == "zh" else line.name_en


def _counts(lines: tuple[Line, ...], lang: Lang, width: int) -> list[Content]:
    """A row an item, the longest lines first when there are too many."""
    shown = lines
    if len(lines) > ITEM_ROWS_MAX:
        by_length = sorted(lines, key=lambda line: -line.waiting)
        shown = tuple(by_length[: ITEM_ROWS_MAX - 1])
    rows = [
        Content.assemble(
            (set_cell_size(_name(line, lang), width - 5), DIM),
            f"{line.waiting:>5}",
        )
        for line in shown
    ]
    if len(shown) < len(lines):
        others = sum(line.waiting for line in lines) - sum(x.waiting for x in shown)
        more = labels.MORE_ITEMS.fill(items=len(lines) - len(shown), waiting=others)
        rows.append(Content.styled(more.text(lang), DIM))
    return rows


def _row(ticket: str, number: int, name: str, wait: str, width: int) -> Content:
    """A ticket's row: its number in so many cells, its item, and its wait."""
    room = max(0, width - number - cell_len(wait))
    return Content.assemble(
        (set_cell_size(ticket, number), f"bold {CALLED}"),
        (set_cell_size(name, room), DIM),
        wait,
    )


def _wait(ticket: Waiting, now: datetime, lang: Lang) -> str:
    """How a ticket waits: its kind, and for how long."""
    minutes = int((now - ticket.taken_at).total_seconds()) // 60
    age = labels.MINUTES.fill(minutes=minutes) if minutes > 0 else labels.JUST_NOW
    kind, text = labels.KIND[ticket.kind].text(lang), age.text(lang)
    return f" {kind}{' ' * (AGE_CELLS - cell_len(text))}{text}"


AGE_CELLS = 7  # A blank, three digits, and the word for minutes.
