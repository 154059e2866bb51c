"""Halls that are drawn, and what is pressed in them."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import msgspec
from hypothesis import strategies as st

from floor import commands, effects
from floor.catalogue import Catalogue, Hours, Item, Window
from floor.commands import Command
from floor.facts import Level
from floor.practice import (
    KINDS,
    Booking,
    Calling,
    CallPolicy,
    Ground,
    Standing,
    Taking,
)
from paper_hall import Paper


def words(shape: Any, **choices: list[Any]) -> st.SearchStrategy[Any]:
    """A part of a catalogue; the first choice of each word is the plainest."""
    return st.builds(
        shape, **{name: st.sampled_from(some) for name, some in choices.items()}
    )


STANDINGS = words(Standing, rate=[1, 2, 3], credit_s=[0, 60, 600], rank=[0, 1, 2])
POLICIES = st.builds(
    CallPolicy,
    name=st.sampled_from(["first_come", "fixed_credit", "accumulating", "strict"]),
    normal=STANDINGS,
    appointment=STANDINGS,
    priority=STANDINGS,
    care=STANDINGS,
)
CALLINGS = words(
    Calling,
    opens_paused=[False, True],
    finish_implied=[False, True],
    recall_gap_s=[0, 5],
    recalls_max=[0, 1],
    no_show_recalls=[0, 1],
    no_show_after_s=[0, 30],
    returns_max=[2, 1],
    return_place=[0, 1, 2, -1],
    defers_max=[2, 1],
    defer_place=[1, 0, 2, -1],
    undo_s=[30, 0, 600],
    held_max=[3, 1],
)
TAKINGS = words(
    Taking,
    hours_only=[False, True],
    stop_before_close_s=[0, 3600],
    person_required=[False] * 5 + [True],
    open_per_item=[1, 2],
    open_max=[0, 2],
    day_max=[0, 4],
    slot_s=[3600, 1800],
)
BOOKINGS = words(
    Booking,
    quota=[2, 0, 1],
    slot_s=[1800, 3600],
    ahead_days=[7, 0],
    early_s=[900, 0],
    grace_s=[900, 0],
    late_credit_s=[600, 3600],
    cancel_before_s=[0, 7200],
    missed_max=[2, 1, 0],
    cancelled_max=[5, 1, 0],
    same_item_max=[3, 1, 0],
    memory_days=[31, 1],
)


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """A small hall with any practice."""
    last = draw(st.sampled_from([999_999, 3]))
    quotas = st.sampled_from([0, 0, 2])
    items = (
        Item(id="a", name="甲", name_en="A", prefix="A", last=last,
             slot_quota=draw(quotas)),
        Item(id="b", name="乙", name_en="B", prefix="B", day_quota=2 * draw(quotas),
             booking_quota=draw(st.sampled_from([-1, 0, 1]))),
        Item(id="c", name="丙", name_en="C", prefix="C", first=7, digits=4,
             then=draw(st.sampled_from([(), ("a",), ("b", "a")]))),
    )  # fmt: skip
    weights = draw(st.sampled_from([{}, {"b": 2}, {"a": 3}]))
    helps = draw(st.sampled_from([{}, {"c": 2}, {"c": 0, "a": 3}]))
    windows = (
        Window(id="1", name="一", name_en="1", department="x", items=("a", "b"),
               weights=weights),
        Window(id="2", name="二", name_en="2", department="x", items=("b",),
               helps=helps),
        Window(id="3", name="三", name_en="3", department="x", items=("a", "c")),
    )  # fmt: skip
    return Catalogue(
        hall="hall-1",
        name="小厅",
        name_en="Small hall",
        hours=Hours(lunch=("12:00", "13:00")),
        policy=draw(POLICIES),
        calling=draw(CALLINGS),
        taking=draw(TAKINGS),
        booking=draw(BOOKINGS),
        grounds=(Ground(id="elder", name="老人", name_en="Elderly", kind="care"),),
        items=items,
        windows=windows,
    )


WINDOWS = st.sampled_from(["1", "2", "3"])
CLERKS = st.sampled_from(["x", "y", "z"])
ITEMS = st.sampled_from(["a", "b", "c"])
PERSONS = st.sampled_from(["", "", "1" * 32, "2" * 32])
#: Stands for the n-th ticket or booking that there is by then, or for an unknown one.
NTH = st.integers(0, 11).map(lambda n: f"nth {n}")
SLOTS = st.tuples(st.integers(0, 1), st.integers(17, 34)).map(
    lambda pair: f"{pair[0]} {pair[1]}"
)


def pressed(shape: type[Command], **fields: Any) -> st.SearchStrategy[Any]:
    """A command with words that are filled in when it is pressed."""
    return st.fixed_dictionaries(fields).map(lambda said: (shape, said))


#: Each command once, and some more often, so that days get somewhere.
PRESSES: list[st.SearchStrategy[Any]] = [
    pressed(commands.TakeTicket, item=ITEMS, kind=st.sampled_from(KINDS),
            person=PERSONS, ground=st.sampled_from(["", "", "", "elder", "haste"]),
            channel=st.sampled_from(["kiosk", "staff"]),
            then=st.sampled_from([(), (), ("b",), ("c", "b"), ("d",)])),
    pressed(commands.TakeTicket, item=ITEMS, kind=st.sampled_from(KINDS)),
    pressed(commands.OpenWindow, window=WINDOWS, clerk=CLERKS,
            substitutes=st.sampled_from(["", "x"])),
    pressed(commands.PauseWindow, window=WINDOWS),
    pressed(commands.ResumeWindow, window=WINDOWS),
    pressed(commands.CloseWindow, window=WINDOWS, give_back=st.booleans()),
    pressed(commands.MoveClerk, window=WINDOWS, to=WINDOWS),
    pressed(commands.CallNext, window=WINDOWS),
    pressed(commands.CallNext, window=WINDOWS),
    pressed(commands.CallTicket, window=WINDOWS, ticket=NTH),
    pressed(commands.RecallTicket, window=WINDOWS),
    pressed(commands.UndoCall, window=WINDOWS),
    pressed(commands.DeclareNoShow, window=WINDOWS),
    pressed(commands.StartService, window=WINDOWS),
    pressed(commands.StartService, window=WINDOWS, ticket=NTH),
    pressed(commands.FinishService, window=WINDOWS),
    pressed(commands.FinishService, window=WINDOWS, item=ITEMS),
    pressed(commands.HoldTicket, window=WINDOWS),
    pressed(commands.ReturnTicket, window=WINDOWS),
    pressed(commands.ReturnTicket, window=WINDOWS, ticket=NTH),
    pressed(commands.TransferTicket, window=WINDOWS, item=ITEMS | st.just(""),
            to_window=st.sampled_from(["", "", "1", "2", "3"]),
            to_clerk=st.sampled_from(["", "", "x", "y"]), front=st.booleans()),
    pressed(commands.InviteEvaluation, window=WINDOWS),
    pressed(commands.InviteEvaluation, window=WINDOWS, ticket=NTH),
    pressed(commands.Evaluate, ticket=NTH, level=st.sampled_from(list(Level))),
    pressed(commands.RequeueTicket, ticket=NTH,
            place=st.sampled_from([None, None, 0, 1, -1])),
    pressed(commands.DeferTicket, ticket=NTH),
    pressed(commands.AbandonTicket, ticket=NTH),
    pressed(commands.BookAppointment, item=ITEMS, slot_at=SLOTS, person=PERSONS),
    pressed(commands.BookAppointment, item=ITEMS, slot_at=SLOTS, person=PERSONS),
    pressed(commands.CancelAppointment, booking=NTH),
    pressed(commands.CheckIn, booking=NTH),
    pressed(commands.CheckIn, booking=NTH),
    pressed(commands.DeclareOutage, from_at=SLOTS, to_at=SLOTS,
            reason=st.just("停电")),
    pressed(commands.ReopenHall),
]  # fmt: skip
#: Those that end much, seldom.
SELDOM = [
    pressed(commands.CloseHall, reason=st.sampled_from(["clerk", "emergency"])),
    pressed(commands.PublishCatalogue, catalogue=catalogues()),
    pressed(commands.PublishCatalogue, catalogue=st.sampled_from(["a", "b", "c"])),
]
PRESSED = st.one_of(PRESSES)


def filled_in(said: tuple[type[Command], dict[str, Any]], paper: Paper) -> Command:
    """The command, of tickets, bookings and slots that there are by now."""
    shape, fields = said[0], dict(said[1])
    for name, word in fields.items():
        if name in ("ticket", "booking"):
            known = list(paper.cards if name == "ticket" else paper.slips)[-11:]
            nth = int(word.split()[1]) % (len(known) + 1)
            unknown = "A999" if name == "ticket" else "20261123-999"
            fields[name] = [*known, unknown][nth]
        if name in ("slot_at", "from_at", "to_at"):
            days, halves = (int(part) for part in word.split())
            fields[name] = slot(paper.date + timedelta(days=days), halves)
        if name == "catalogue" and isinstance(word, str):
            fields[name] = without(paper.catalogue, word)
    return shape(**fields)


def slot(date: date, halves: int) -> datetime:
    """So many half hours after midnight in Shanghai."""
    midnight = datetime(date.year, date.month, date.day, tzinfo=UTC)
    return midnight + timedelta(minutes=30 * halves - 8 * 60)


def without(catalogue: Catalogue, item: str) -> Catalogue:
    """Less one item, and less the windows that had no other."""
    windows = []
    for window in catalogue.windows:
        kept = tuple(id for id in window.items if id != item)
        helps = {id: n for id, n in window.helps.items() if id != item}
        weights = {id: n for id, n in window.weights.items() if id != item}
        if kept:
            windows.append(
                msgspec.structs.replace(
                    window, items=kept, helps=helps, weights=weights
                )
            )
    items = [
        msgspec.structs.replace(
            known, then=tuple(step for step in known.then if step != item)
        )
        for known in catalogue.items
        if known.id != item
    ]
    return msgspec.structs.replace(
        catalogue, items=tuple(items), windows=tuple(windows)
    )


def likely(paper: Paper, window: str, clerk: str, nth: int) -> Command:
    """What would be pressed at this window or in the hall, so that days get far."""
    group, choice = nth % 5, nth // 5
    choices = _at_window(paper, window, clerk)
    if group == 3:
        choices = _taking(clerk) + _of_tickets(paper)
    elif group == 4:
        choices = _taking(clerk)[:2] + _of_bookings(paper)
    return choices[choice % len(choices)]


def _at_window(paper: Paper, window: str, clerk: str) -> list[Command]:
    desk = paper.desks[window]
    at: dict[str, Any] = {"window": window}
    match desk.state:
        case "closed":
            return [commands.OpenWindow(window=window, clerk=clerk)]
        case "paused":
            return [commands.ResumeWindow(**at)]
        case "called":
            return [
                commands.StartService(**at),
                commands.RecallTicket(**at),
                commands.StartService(**at),
                commands.DeclareNoShow(**at),
                commands.UndoCall(**at),
                commands.TransferTicket(**at, to_clerk=clerk, front=True),
                commands.DeclareNoShow(**at),
            ]
        case "serving":
            return [
                commands.FinishService(**at),
                commands.HoldTicket(**at),
                commands.CallNext(**at),
                commands.FinishService(**at, item="b"),
                commands.TransferTicket(**at, item="c"),
                commands.HoldTicket(**at),
                commands.TransferTicket(**at, to_window="2", front=True),
                commands.TransferTicket(**at, to_window="1"),
                commands.MoveClerk(**at, to="3"),
                commands.CloseWindow(**at, give_back=True),
            ]
    return [
        *[commands.CallNext(**at)] * 4,
        *(commands.ReturnTicket(**at, ticket=id) for id in desk.held),
        commands.ReturnTicket(**at),
        commands.InviteEvaluation(**at),
        commands.CloseWindow(**at, give_back=len(desk.held) > 1),
    ]


def _taking(clerk: str) -> list[Command]:
    person = clerk_as_person(clerk)
    return [
        commands.TakeTicket(item="a", person=person),
        commands.TakeTicket(item="b", kind="care"),
        commands.TakeTicket(item="c", kind="priority"),
        commands.TakeTicket(item="a", then=("b", "c"), channel="staff"),
    ]


def clerk_as_person(clerk: str) -> str:
    """Somebody, or nobody, who takes a ticket."""
    return {"x": "1" * 32, "y": "2" * 32, "z": ""}[clerk]


def _of_tickets(paper: Paper) -> list[Command]:
    found: list[Command] = []
    for id, card in paper.cards.items():
        match card.state:
            case "no_show":
                found.append(commands.RequeueTicket(ticket=id))
            case "waiting":
                found.append(commands.DeferTicket(ticket=id))
                found += [commands.CallTicket(window=w, ticket=id) for w in "13"]
            case "served":
                found.append(commands.Evaluate(ticket=id, level=Level.SATISFIED))
            case "held":
                found.append(commands.AbandonTicket(ticket=id))
    return found[-12:]


def _of_bookings(paper: Paper) -> list[Command]:
    found: list[Command] = []
    for id, slip in paper.slips.items():
        if slip.state == "booked" and slip.date >= paper.date:
            found.append(commands.CancelAppointment(booking=id))
        if slip.state == "booked" and slip.date == paper.date:
            found += [commands.CheckIn(booking=id)] * 2
    for days, halves in ((0, 20), (0, 33), (1, 18)):
        at = slot(paper.date + timedelta(days=days), halves)
        for person in ("1" * 32, ""):
            found.append(commands.BookAppointment(item="a", slot_at=at, person=person))
    return found[-12:]


def odd(paper: Paper, chance: Random) -> Command:
    """Any command at all, of words that are there and some that are not."""
    slots = [
        slot(paper.date + timedelta(days=days), halves)
        for days in (0, 1)
        for halves in range(17, 36)
    ]
    windows, clerks = ["1", "2", "3", "1", "2", "9"], ["x", "y", "z"]
    pools: dict[str, list[Any]] = {
        **dict.fromkeys(("window", "to", "to_window"), windows),
        **dict.fromkeys(("clerk", "substitutes", "to_clerk"), clerks),
        **dict.fromkeys(("slot_at", "from_at", "to_at"), slots),
        "item": ["a", "b", "c", "a", "b", "d"],
        "ticket": [*paper.cards, "A999"],
        "booking": [*paper.slips, "20261123-999"],
        "kind": [*KINDS],
        "person": ["1" * 32, "2" * 32],
        "ground": ["elder", "haste"],
        "then": [("b",), ("c", "b"), ("d",)],
        "place": [0, 1, 5, -1],
        "level": [*Level],
        "give_back": [True],
        "front": [True],
        "channel": ["kiosk", "staff"],
        "outcome": ["not_done"],
        "reason": ["停电"],
        "catalogue": [without(paper.catalogue, item) for item in "abc"],
    }
    shapes = [shape for shape in effects.EFFECTS if shape is not commands.CloseHall]
    shape = chance.choice(shapes)
    said = {
        field.name: chance.choice(pools[field.name])
        for field in msgspec.structs.fields(shape)
        if field.name in pools and (field.required or chance.random() < 0.5)
    }
    return shape(**said)
