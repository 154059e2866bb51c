"""Ways to spoil a good log so that its numbering is right and its story is not.

Each spoiler finds a place in a log where it can be told, changes the facts there, and
names the fact at fault. Positions, versions and seals are put right afterwards, as
somebody would who wants it not to be seen.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from floor import checking, facts
from floor.day import Day, advance
from floor.facts import Entry, Fact
from floor.practice import Calling

CHECKING = Path(checking.__file__).parent
Told = tuple[str, Fact]
#: Of a day and the fact that comes next: the facts to put in its place, and which of
#: them is at fault; nothing where this is not the place.
Spoil = Callable[[Day, Fact], tuple[list[Fact], int] | None]


class Untold(Exception):
    """The log has no place for this spoiler."""


def renumbered(told: Sequence[Told]) -> list[Entry]:
    """Facts in their streams with new positions, versions and sizes of seals."""
    ends: dict[str, int] = {}
    entries: list[Entry] = []
    for position, (stream, fact) in enumerate(told, 1):
        version = ends[stream] = ends.get(stream, 0) + 1
        changes: dict[str, Any] = {"position": position}
        if isinstance(fact, facts.DaySealed):
            changes["size"] = version - 1
        entries.append(Entry(stream, version, msgspec.structs.replace(fact, **changes)))
    return entries


def walk(entries: Sequence[Entry]) -> Iterator[tuple[int, Day, Fact]]:
    """Each fact with the day as it was before it."""
    day: Day | None = None
    for index, entry in enumerate(entries):
        if day is not None and entry.stream == day.stream:
            yield index, day, entry.fact
        day = advance(day, entry)


def spoilt(entries: Sequence[Entry], spoil: Spoil) -> tuple[list[Entry], int]:
    """The log with one place spoilt, and the position of the fact at fault.

    Raises:
        Untold: no fact of the log will do.
    """
    for index, day, fact in walk(entries):
        told = spoil(day, fact)
        if told is not None:
            instead, fault = told
            stream = entries[index].stream
            changed = [
                *((entry.stream, entry.fact) for entry in entries[:index]),
                *((stream, new) for new in instead),
                *((entry.stream, entry.fact) for entry in entries[index + 1 :]),
            ]
            return renumbered(changed), index + 1 + fault
    raise Untold


def new(fact: Fact, /, **words: object) -> Any:
    """A fact with other words, caused by nobody."""
    return msgspec.structs.replace(fact, command="", **words)


# ── Changing a fact ─────────────────────────────────────────────────────────────────


def change(kind: type[Fact], /, **words: object) -> Spoil:
    """The first fact of a kind, with other words."""

    def spoil(day: Day, fact: Fact) -> tuple[list[Fact], int] | None:
        if type(fact) is not kind:
            return None
        changed = new(fact, **words)
        return None if changed == new(fact) else ([changed], 0)

    return spoil


def twice(kind: type[Fact], where: Callable[[Any], bool] = lambda _: True) -> Spoil:
    """A fact that happens again at once."""

    def spoil(day: Day, fact: Fact) -> tuple[list[Fact], int] | None:
        if type(fact) is not kind or not where(fact):
            return None
        return [fact, new(fact)], 1

    return spoil


def insert(make: Callable[[Day, Fact], Fact | None]) -> Spoil:
    """A fact out of nowhere, before one of the day."""

    def spoil(day: Day, fact: Fact) -> tuple[list[Fact], int] | None:
        made = make(day, fact) if day.version > 100 else None
        return None if made is None else ([made, fact], 0)

    return spoil


def told_of(kind: Callable[..., Fact], /, **words: object) -> Fact:
    """A fact that nobody caused."""
    return kind(**words)


def lone(day: Day, fact: Fact) -> bool:
    """Whether the fact was caused by itself, and not together with the one before."""
    return bool(fact.command) and not isinstance(fact, facts.TicketCalled)


# ── What a place of the day offers ──────────────────────────────────────────────────


def place_in(day: Day, *states: str) -> Any:
    return next((p for p in day.places.values() if p.state in states), None)


def ticket_in(day: Day, *states: str) -> Any:
    return next((t for t in day.tickets.values() if t.state in states), None)


def at_window(kind: type[Fact], /, *states: str, **words: object) -> Spoil:
    """A fact about a window that is in one of these states."""

    def make(day: Day, fact: Fact) -> Fact | None:
        place = place_in(day, *states)
        if place is None or not lone(day, fact):
            return None
        return told_of(kind, at=fact.at, window=place.id, **words)

    return insert(make)


def of_ticket(kind: type[Fact], /, *states: str, **words: object) -> Spoil:
    """A fact about a ticket that is in one of these states, at its last window."""

    def make(day: Day, fact: Fact) -> Fact | None:
        ticket = ticket_in(day, *states)
        if ticket is None or not lone(day, fact):
            return None
        named = dict(words)
        if "window" in kind.__struct_fields__ and "window" not in named:
            named["window"] = ticket.window or day.catalogue.windows[0].id
        return told_of(kind, at=fact.at, ticket=ticket.id, **named)

    return insert(make)


# ── Calls that are not those of the policy ──────────────────────────────────────────


def by_policy(day: Day, fact: Fact) -> bool:
    return isinstance(fact, facts.TicketCalled) and fact.policy != "by_hand"


def other_ticket(day: Day, fact: Fact) -> tuple[list[Fact], int] | None:
    """Somebody further back in the same line is called instead."""
    if not by_policy(day, fact):
        return None
    assert isinstance(fact, facts.TicketCalled)
    line = day.lines[day.tickets[fact.ticket].line]
    kind = day.tickets[fact.ticket].stand.kind
    behind = [t for t in line if t != fact.ticket and day.tickets[t].stand.kind == kind]
    return ([new(fact, ticket=behind[-1])], 0) if behind else None


def other_window(state: str, *, able: bool) -> Spoil:
    """The call goes to another window, which may or may not handle the item."""

    def spoil(day: Day, fact: Fact) -> tuple[list[Fact], int] | None:
        if not isinstance(fact, facts.TicketCalled):
            return None
        ticket = day.tickets[fact.ticket]
        for place in day.places.values():
            window = day.windows[place.id]
            reaches = ticket.line in (*window.items, *window.helps)
            if place.id != fact.window and place.state == state and reaches == able:
                clerk = place.clerk
                return [new(fact, window=place.id, clerk=clerk)], 0
        return None

    return spoil


def called_elsewhere_too(day: Day, fact: Fact) -> tuple[list[Fact], int] | None:
    """The same ticket is called to a second, free window."""
    if not isinstance(fact, facts.TicketCalled):
        return None
    for place in day.places.values():
        if place.state == "free" and place.id != fact.window:
            again = new(fact, window=place.id, clerk=place.clerk)
            return [fact, again], 1
    return None


def because_of(day: Day, fact: Fact) -> tuple[list[Fact], int] | None:
    if not by_policy(day, fact):
        return None
    because = fact.because  # type: ignore[attr-defined]
    return [new(fact, because="kind" if because == "first" else "first")], 0


def unexplained(day: Day, fact: Fact) -> tuple[list[Fact], int] | None:
    """A call says nothing, although others of the day did."""
    if not isinstance(fact, facts.TicketCalled) or day.version < 200:
        return None
    return [new(fact, because="")], 0


def passed_one_more(day: Day, fact: Fact) -> tuple[list[Fact], int] | None:
    if not isinstance(fact, facts.TicketCalled):
        return None
    return [new(fact, passed=fact.passed + 1)], 0


# ── Facts left out ──────────────────────────────────────────────────────────────────


def left_out(
    entries: Sequence[Entry], kind: type[Fact], then: tuple[type[Fact], ...]
) -> tuple[list[Entry], int]:
    """A fact of a ticket is left out; gives the position of the ticket's next one.

    then: what the next one must be, so that it cannot be. A ticket that was put off
        and not missed can be called without having been.

    Raises:
        Untold: there is none.
    """
    missed: set[str] = set()
    for index, entry in enumerate(entries):
        ticket = getattr(entry.fact, "ticket", "")
        wanted = type(entry.fact) is kind
        if kind is facts.TicketRequeued and ticket not in missed:
            wanted = False
        if isinstance(entry.fact, facts.NoShowDeclared):
            missed.add(ticket)
        if not wanted:
            continue
        for later, after in enumerate(entries[index + 1 :], index):
            if getattr(after.fact, "ticket", None) == ticket:
                if type(after.fact) in then and after.stream == entry.stream:
                    told = [(e.stream, e.fact) for e in entries]
                    del told[index]
                    return renumbered(told), later + 1
                break
        missed.discard(ticket)
    raise Untold


def with_calling(entries: Sequence[Entry], **words: object) -> list[Entry]:
    """The log, as if the first catalogue had demanded something else of calls."""
    told: list[Told] = []
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, facts.CataloguePublished):
            calling = msgspec.structs.replace(fact.catalogue.calling, **words)
            assert isinstance(calling, Calling)
            catalogue = msgspec.structs.replace(fact.catalogue, calling=calling)
            fact = msgspec.structs.replace(fact, catalogue=catalogue)
        told.append((entry.stream, fact))
    return renumbered(told)
