"""One business day as its facts tell it: tickets, windows, lines, and running sums.

Two accounts are kept side by side. What a fact means by its name alone moves the
counts `waiting`, `serving`, `held`; what the tickets themselves were doing moves the
times and the lines. In a log that is right they agree at every instant, to the
millisecond.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

from floor.catalogue import Catalogue, Item, Window
from floor.checking.findings import Findings
from floor.checking.lines import LAST, Lines, Placed, Reach, Standing, Weights

WAITING: Final = "waiting"
CALLED: Final = "called"
SERVING: Final = "serving"
HELD: Final = "held"
SERVED: Final = "served"
NO_SHOW: Final = "no_show"
ABANDONED: Final = "abandoned"
OVER: Final = "closed"  # Of a ticket: by the hall. Of a window: nobody is there.
FREE: Final = "free"
PAUSED: Final = "paused"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


class Ticket:
    """A ticket, where it stands or stood, and since when it is what it is.

    position: of the fact that made it so; evidence.
    came_ms: when it last joined a line; `plain` while it stands where it came.
    """

    # Defaults of the class, so that taking a ticket sets only what differs.
    state = WAITING
    window = ""
    placed = False
    rated = False
    first_called = 0
    wait_ms = service_ms = 0
    calls = returns = defers = 0
    called_ms = recalled_ms = 0

    def __init__(
        self, id: str, item: str, kind: str, due_ms: int, position: int, ms: int
    ) -> None:
        self.id = id
        self.item = self.line = item
        self.kind = self.mark = kind  # The mark is what it is weighed as.
        self.standing: Standing = due_ms, position, (LAST,), id
        self.plain = due_ms == ms
        self.since = self.came_ms = self.taken_ms = ms
        self.position = self.taken = position


class Place:
    """A window: who sits there, what is in hand, and how its time went.

    spent: milliseconds in each state. services_ms: what its tickets say of that.
    legs: for Lindley's recursion: came, called, free again (-1 while not yet), and
        the position of the call.
    """

    __slots__ = (
        "born", "clerk", "even", "held", "helps", "id", "items", "legs", "opened",
        "reach", "services_ms", "since", "spent", "state", "ticket",
    )  # fmt: skip

    def __init__(self, id: str, ms: int) -> None:
        self.id = id
        self.state = OVER
        self.clerk = ""
        self.ticket = ""
        self.held: list[str] = []
        self.items: tuple[str, ...] = ()
        self.reach: list[Reach] = []
        self.helps: list[tuple[int, Reach]] = []
        self.even = True  # Whether no item weighs more here than another.
        self.opened: set[str] = set()  # Items that it was ever open for.
        self.spent: dict[str, int] = {}
        self.services_ms = 0
        self.legs: list[tuple[int, int, int, int]] = []
        self.born = self.since = ms

    def turn(self, state: str, ms: int) -> None:
        self.spent[self.state] = self.spent.get(self.state, 0) + ms - self.since
        self.state, self.since = state, ms


class Sheet:
    """The day so far, and where its findings go."""

    def __init__(
        self, stream: str, day: date, catalogue: Catalogue, ms: int, findings: Findings
    ) -> None:
        self.stream = stream
        self.day = day
        self.began = self.ms = ms
        self.findings = findings
        self.rates = findings.rates
        self.closed = False
        self.emergency = False
        self.explained = False  # Whether calls say why, as they all do by now.
        self.closed_at: datetime | None = None
        self.tickets: dict[str, Ticket] = {}
        self.places: dict[str, Place] = {}
        self.lines = Lines()
        self.numbers: dict[str, int] = {}
        self.issued: dict[str, int] = {}
        self.gone: set[str] = set()  # Tickets that were called and did not come.
        self.sent = False  # Whether any ticket was ever sent to a window or clerk.
        #: A fact's position and window, and the facts of which one must follow it.
        self.owed: tuple[int, str, tuple[str, ...]] | None = None
        #: The ticket that an implied finish has just sent on to its next line.
        self.aside: Ticket | None = None
        self.waiting = self.serving = self.held = 0
        self.at_windows = 0
        self.areas = [0, 0, 0]  # Integrals of waiting, serving and held.
        self.sums = [0, 0, 0]  # The same, from the tickets.
        self.publish(catalogue, ms)

    def publish(self, catalogue: Catalogue, ms: int) -> None:
        """A catalogue comes into force; open windows follow it."""
        self.catalogue = catalogue
        self.calling = catalogue.calling
        self.weights = Weights(catalogue.policy)
        self.items: dict[str, Item] = {item.id: item for item in catalogue.items}
        self.windows: dict[str, Window] = {w.id: w for w in catalogue.windows}
        for window in catalogue.windows:
            place = self.places.get(window.id)
            if place is None:
                place = self.places[window.id] = Place(window.id, ms)
            if place.state != OVER:
                place.items = window.items
        for place in self.places.values():
            self.reach_of(place)

    def reach_of(self, place: Place) -> None:
        """Which lines an open window may call from, with their weights."""
        window = self.windows.get(place.id)
        weights = window.weights if window else {}
        place.reach = [
            (item, self.lines.line(item), weights.get(item, 1)) for item in place.items
        ]
        place.helps = [
            (threshold, (item, self.lines.line(item), weights.get(item, 1)))
            for item, threshold in (window.helps.items() if window else ())
        ]
        place.even = all(
            weight == 1 for _, _, weight in (*place.reach, *(h for _, h in place.helps))
        )
        if place.state != OVER:
            place.opened.update(place.items, (item for _, (item, _, _) in place.helps))

    def reach(self, place: Place) -> list[Reach]:
        """The lines that a window may call from at this instant."""
        if not place.helps and not self.sent:
            return place.reach
        reach = list(place.reach)
        for threshold, helped in place.helps:
            stood = sum(map(len, helped[1].values()))
            if stood and stood >= threshold:
                reach.append(helped)
        for line in (f"window:{place.id}", f"clerk:{place.clerk}"):
            by_kind = self.lines.of.get(line)
            if by_kind:
                reach.append((line, by_kind, 1))
        return reach

    # ── What is wrong ───────────────────────────────────────────────────────

    def wrong(self, what: str, *positions: int, **words: object) -> None:
        """Note a violation, with the facts that show it, the one at fault first."""
        self.findings.note(what, self.stream, positions, **words)

    def ticket(self, id: str, position: int) -> Ticket | None:
        ticket = self.tickets.get(id)
        if ticket is None:
            self.wrong("unknown_ticket", position, ticket=id)
        return ticket

    def place(self, id: str, position: int) -> Place | None:
        place = self.places.get(id)
        if place is None:
            self.wrong("unknown_window", position, window=id)
        return place

    def in_hand(
        self, id: str, window: str, state: str, what: str, position: int
    ) -> tuple[Ticket, Place] | None:
        """A ticket and the window that has it in hand, as both must tell it.

        state: called or serving; empty for either.
        """
        ticket, place = self.tickets.get(id), self.places.get(window)
        if ticket is None or place is None:
            self.ticket(id, position)
            self.place(window, position)
            return None
        if (
            place.ticket != id
            or ticket.window != window
            or ticket.state not in ((state,) if state else (CALLED, SERVING))
        ):
            self.wrong(
                what, position, ticket.position,
                ticket=id, window=window, state=ticket.state,
            )  # fmt: skip
        return ticket, place

    # ── How tickets move ────────────────────────────────────────────────────

    def leave(self, ticket: Ticket, ms: int) -> None:
        """End the ticket's present state: its time goes to the sums."""
        spent = ms - ticket.since
        if ticket.state == WAITING:
            self.sums[0] += spent
            ticket.wait_ms += spent
            self.lines.remove(ticket.line, ticket.mark, ticket.standing)
        elif ticket.state == SERVING:
            self.sums[1] += spent
            ticket.service_ms += spent
            self.at_windows -= 1
            place = self.places.get(ticket.window)
            if place is not None:
                place.services_ms += spent
        elif ticket.state == HELD:
            self.sums[2] += spent
        ticket.since = ms

    def turn(self, ticket: Ticket, state: str, ms: int, position: int) -> None:
        if ticket.state != CALLED:  # Whose time is in no sum.
            self.leave(ticket, ms)
        ticket.state = state
        ticket.position = position
        ticket.since = ms
        if state == SERVING:
            self.at_windows += 1

    def wait(
        self, ticket: Ticket, line: str, placed: Placed, ms: int, position: int
    ) -> None:
        """Stand in a line, again or for the first time."""
        ticket.state, ticket.position = WAITING, position
        ticket.line, ticket.since, ticket.came_ms = line, ms, ms
        ticket.mark, ticket.standing = placed
        ticket.window = ""
        ticket.calls = 0
        self.lines.add(line, ticket.mark, ticket.standing)

    def rejoin(self, ticket: Ticket, line: str, ms: int, position: int) -> None:
        """Wait as if it came to this line now."""
        own = ms, position, (LAST,), ticket.id
        ticket.placed, ticket.plain = False, True
        self.wait(ticket, line, (ticket.kind, own), ms, position)

    def put(
        self, ticket: Ticket, line: str, place: int, ms: int, position: int
    ) -> None:
        """Wait behind so many of a line; in front, no worse than it stood before."""
        own = ticket.kind, (ms, position, (LAST,), ticket.id)
        before = ticket.mark, ticket.standing
        placed = self.lines.at_place(line, place, own, self.weights, ms)
        if place == 0:
            urgency = self.weights.urgency
            if urgency(*before, ms, 1) <= urgency(*placed, ms, 1):
                placed = before
        if placed is not before:
            ticket.placed = placed is not own
        self.wait(ticket, line, placed, ms, position)
        ticket.plain = placed is own

    def let_go(self, place: Place, ticket: Ticket, ms: int) -> None:
        """The window has the ticket no more; the counts follow the window."""
        if place.ticket == ticket.id:
            if place.state == SERVING:
                self.serving -= 1
            self.free(place, ms)
        elif ticket.id in place.held:
            place.held.remove(ticket.id)
            self.held -= 1

    def free(self, place: Place, ms: int) -> None:
        """Nothing is in hand any more."""
        place.turn(FREE, ms)
        place.ticket = ""
        if place.legs and place.legs[-1][2] < 0:
            came, called, _, call = place.legs[-1]
            place.legs[-1] = came, called, ms, call

    def dissolve(self, lines: Iterable[str]) -> None:
        """Whoever was sent to a window or clerk that leaves waits for any again."""
        for line in lines:
            for kind, standing in self.lines.dissolve(line):
                ticket = self.tickets[standing[3]]
                ticket.line = ticket.item
                self.lines.add(ticket.item, kind, standing)

    def living(self, line: str, ticket: Ticket) -> str:
        """The line that a ticket goes back to: its item's, if nobody calls from it.

        A line of one window or clerk is gone when these are.
        """
        kind, _, id = line.partition(":")
        if kind == "window" and id:
            there = id in self.places and self.places[id].state != OVER
        elif kind == "clerk" and id:
            there = any(place.clerk == id for place in self.places.values())
        else:
            there = True
        return line if there else ticket.item
