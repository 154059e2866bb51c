"""What the JSON door answers, each shape once."""

import msgspec


class TakenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket that was taken: what the kiosk prints."""

    ticket: str
    item: str
    ahead: int
    windows: list[str]
    token: str
    position: int


class TicketAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ticket is."""

    ticket: str
    item: str
    state: str
    ahead: int
    windows: list[str]
    window: str | None
    level: str | None


class OvertakingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket that came later and was called first; `position` is the evidence.

    because: as its `TicketCalled` says; `reason` is that in words.
    sentence: all of it, as a visitor reads it.
    """

    ticket: str
    window: str
    at: str
    position: int
    because: str
    reason: str
    sentence: str


class WhyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who was called before a ticket while it waited, and why.

    earlier: calls of tickets that came before it, at windows that could have called it.
    elsewhere: calls of later ones at windows that could not have called it.
    """

    ticket: str
    summary: str
    overtaken: list[OvertakingAnswer]
    earlier: int
    elsewhere: int


class SlotAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A time slot, on the hall's own clock, and how many can still book it."""

    slot_at: str
    free: int


class SlotsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The slots of an item on a day that begin from now on, full ones included."""

    item: str
    date: str
    slots: list[SlotAnswer]


class BookedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An appointment that was made; `token` is needed to cancel or to check in."""

    booking: str
    item: str
    slot_at: str
    token: str
    position: int


class CommandAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A command that was carried out, with the number of its fact."""

    ticket: str | None
    window: str | None
    position: int
    fact: str
    at: str
    repeated: bool


class ItemAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A service item and its waiting line."""

    id: str
    name: str
    name_en: str
    waiting: int
    windows: list[str]


class WindowAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A window: `state` is closed, free, called, serving or paused."""

    id: str
    name: str
    name_en: str
    state: str
    ticket: str | None
    clerk: str | None
    items: list[str]


class AlarmAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody must do before the hall stops."""

    code: str
    message: dict[str, str]


class HallAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The hall as it is now, after the fact at `position`."""

    hall: str
    name: str
    name_en: str
    date: str
    closed: bool
    position: int
    items: list[ItemAnswer]
    windows: list[WindowAnswer]
    alarms: list[AlarmAnswer]


class RefusalAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The hall said no and nothing changed; `field` names an input at fault."""

    refused: str
    message: dict[str, str]
    field: str = ""
