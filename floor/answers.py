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
