"""What can be pressed in a simulated hall, and what a clerk presses when.

`PRESSES` is what somebody makes of a word who looks at a screen; `KEYS` is what a
clerk presses in which state. A new command is a line in each.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

import msgspec

from floor import commands
from floor.catalogue import Catalogue
from floor.commands import Command
from floor.day import Day
from floor.facts import Level
from floor.tickets import Place
from simulated_catalogue import edited

#: Keyed hashes of those who show a document.
PERSONS = tuple(f"{n:032x}" for n in range(1, 13))
CARELESS = 0.05
NEVER = ("A999", "D001")


class Sight(msgspec.Struct):
    """What somebody who is about to press knows."""

    chance: Random
    catalogue: Catalogue
    day: Day | None
    clock: Callable[[], datetime]
    window: str
    clerk: str

    def careless(self) -> bool:
        return self.chance.random() < CARELESS

    def item(self) -> str:
        if self.careless():
            return self.chance.choice("dz")
        return self.chance.choice(self.catalogue.items).id

    def some(self, *states: str) -> str:
        """A ticket that the screen shows in one of these states, or any number."""
        shown = self.day.tickets.values() if self.day else ()
        known = [ticket.id for ticket in shown if ticket.state in states]
        if known and not self.careless():
            return self.chance.choice(known)
        others = [ticket.id for ticket in shown]
        return self.chance.choice((*others[:9], *NEVER))

    def place(self) -> Place:
        """The window at which it stands; a closed one if there is none."""
        place = self.day.places.get(self.window) if self.day else None
        return place or Place(id=self.window)

    def held(self) -> str:
        """The ticket in hand, or none named, or a wrong one."""
        which = self.chance.random()
        if which < 0.5:
            return ""
        return self.place().ticket if which < 0.95 else self.some("called", "serving")

    def on_hold(self) -> str:
        """A ticket on hold here, or none named, or a wrong one."""
        held = self.place().held
        if not held or self.chance.random() < 0.3:
            return ""
        return self.some("held") if self.careless() else self.chance.choice(held)

    def person(self, shown: float = 0.3) -> str:
        """Who shows a document; most do where it has to be shown."""
        if self.catalogue.taking.person_required:
            shown = 0.9
        return self.chance.choice(PERSONS) if self.chance.random() < shown else ""

    def ground(self) -> str:
        if self.careless():
            return "nobleman"
        grounds = [ground.id for ground in self.catalogue.grounds]
        return self.chance.choice((*grounds, "", "", ""))

    def other_window(self) -> str:
        return self.chance.choice("123456" if self.careless() else "1234")

    def then(self) -> tuple[str, ...]:
        if self.chance.random() < 0.85:
            return ()
        return tuple(self.item() for _ in range(self.chance.randint(1, 2)))

    def slot_at(self) -> datetime:
        """A slot within some days, or an hour that is none."""
        day = self.clock() + timedelta(days=self.chance.choice((0, 0, 1, 1, 2)))
        hour, minute = self.chance.randint(9, 17), self.chance.choice((0, 0, 30))
        if self.careless():
            minute = 7
        return day.replace(hour=hour, minute=minute, second=0, microsecond=0)

    def booking(self, *states: str) -> str:
        """A booking in one of these states; sometimes any, or one that is not."""
        known = self.day.bookings.by_id.values() if self.day else ()
        if self.careless():
            states = ("booked", "checked_in", "cancelled", "missed")
        fits = [booked.id for booked in known if booked.state in states]
        return self.chance.choice(fits or ["20261126-999"])

    def edited(self) -> Catalogue:
        known = self.day.catalogue if self.day else self.catalogue
        return edited(known, self.chance)


def _take(s: Sight, channel: commands.Channel = "kiosk") -> Command:
    return commands.TakeTicket(
        item=s.item(),
        kind=s.chance.choice(("normal", "normal", "priority", "care", "appointment"))
        if s.careless()
        else s.chance.choice(("normal", "normal", "priority", "care")),
        channel=channel,
        person=s.person(),
        ground=s.ground(),
        then=s.then(),
    )


def _transfer(s: Sight) -> Command:
    to_item, to_window, to_clerk = "", "", ""
    match s.chance.randint(0, 3):
        case 0:
            to_item = s.item()
        case 1:
            to_window = s.other_window()
        case 2:
            to_clerk = f"c{s.other_window()}"
        case _:
            to_item, to_window = s.item(), "" if s.careless() else s.other_window()
    if s.careless():
        to_item = to_window = to_clerk = ""
    return commands.TransferTicket(
        window=s.window,
        ticket=s.held(),
        item=to_item,
        to_window=to_window,
        to_clerk=to_clerk,
        front=s.chance.random() < 0.3,
    )


def _outage(s: Sight) -> Command:
    ago, length = s.chance.randint(0, 90), s.chance.randint(-5, 60)
    from_at = s.clock() - timedelta(minutes=ago)
    to_at = from_at + timedelta(minutes=length)
    return commands.DeclareOutage(from_at=from_at, to_at=to_at, reason="停电")


PRESSES: dict[str, Callable[[Sight], Command]] = {
    "open": lambda s: commands.OpenWindow(
        window=s.window,
        clerk=s.clerk,
        substitutes=s.chance.choice(("", "", s.clerk if s.careless() else "c9")),
    ),
    "pause": lambda s: commands.PauseWindow(
        window=s.window, reason=s.chance.choice(("茶", "会", ""))
    ),
    "resume": lambda s: commands.ResumeWindow(window=s.window),
    "close": lambda s: commands.CloseWindow(window=s.window),
    "give-back": lambda s: commands.CloseWindow(window=s.window, give_back=True),
    "move": lambda s: commands.MoveClerk(window=s.window, to=s.other_window()),
    "call": lambda s: commands.CallNext(window=s.window),
    "call-ticket": lambda s: commands.CallTicket(
        window=s.window, ticket=s.some("waiting"), reason=s.chance.choice(("急", ""))
    ),
    "recall": lambda s: commands.RecallTicket(window=s.window, ticket=s.held()),
    "undo": lambda s: commands.UndoCall(window=s.window, ticket=s.held()),
    "no-show": lambda s: commands.DeclareNoShow(window=s.window, ticket=s.held()),
    "start": lambda s: commands.StartService(window=s.window, ticket=s.held()),
    "finish": lambda s: commands.FinishService(
        window=s.window,
        ticket=s.held(),
        outcome=s.chance.choice(("done", "not_done")),
    ),
    "finish-with": lambda s: commands.FinishService(
        window=s.window, ticket=s.held(), item=s.item()
    ),
    "hold": lambda s: commands.HoldTicket(
        window=s.window, ticket=s.held(), reason="复印"
    ),
    "return": lambda s: commands.ReturnTicket(window=s.window, ticket=s.on_hold()),
    "transfer": _transfer,
    "invite": lambda s: commands.InviteEvaluation(
        window=s.window, ticket=s.some("served") if s.careless() else ""
    ),
    "take": _take,
    "take-at-desk": lambda s: _take(s, "staff"),
    "requeue": lambda s: commands.RequeueTicket(
        ticket=s.some("no_show"), place=s.chance.choice((None, None, -1, 0, 1))
    ),
    "defer": lambda s: commands.DeferTicket(ticket=s.some("waiting")),
    "abandon": lambda s: commands.AbandonTicket(ticket=s.some("waiting", "held")),
    "book": lambda s: commands.BookAppointment(
        item=s.item(), slot_at=s.slot_at(), person=s.person(0.8)
    ),
    "cancel": lambda s: commands.CancelAppointment(booking=s.booking("booked")),
    "check-in": lambda s: commands.CheckIn(booking=s.booking("booked")),
    "evaluate": lambda s: commands.Evaluate(
        ticket=s.some("served"), level=s.chance.choice(tuple(Level))
    ),
    "outage": _outage,
    "publish": lambda s: commands.PublishCatalogue(catalogue=s.edited()),
    "reopen-hall": lambda s: commands.ReopenHall(reason="误关"),
    "close-hall": lambda s: commands.CloseHall(),
    "emergency": lambda s: commands.CloseHall(reason="emergency"),
}

#: What nobody presses by mistake: a hall that closes at noon shows little else.
WITH_CARE = ("close-hall", "emergency")
ANY = tuple(word for word in PRESSES if word not in WITH_CARE)

#: For each state that the screen shows of a window: the mean seconds until the clerk
#: presses, and what, with its weight.
KEYS: dict[str, tuple[float, dict[str, int]]] = {
    "closed": (120, {"open": 1}),
    "free": (
        30,
        {
            **{"call": 60, "call-ticket": 6, "return": 12, "invite": 8},
            **{"pause": 3, "close": 2, "give-back": 1, "move": 1},
        },
    ),
    "called": (
        25,
        {
            **{"start": 27, "recall": 9, "no-show": 8, "undo": 2, "transfer": 1},
            **{"give-back": 1, "move": 1},
        },
    ),
    "serving": (
        500,
        {
            **{"finish": 25, "finish-with": 3, "call": 6, "hold": 5, "transfer": 3},
            **{"give-back": 1, "move": 1},
        },
    ),
    "paused": (300, {"resume": 10, "return": 1, "close": 1, "move": 1}),
}


def fits(word: str, sight: Sight) -> bool:
    """Whether a key that its window's state allows makes sense there at all."""
    place = sight.place()
    if word == "return":
        return bool(place.held) and place.state == "free"
    if word == "call":
        return place.state == "free" or sight.catalogue.calling.finish_implied
    return True
