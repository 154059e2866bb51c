"""Every fact that can happen on a hall day: the vocabulary of the log.

A fact (事实) is past tense, frozen and small. Its class name is its topic in the log,
for ever: only optional fields may be added, a changed meaning is a new name. The
docstrings are the glossary (docs/glossary.md is printed from them).
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from floor.catalogue import Catalogue


class Level(StrEnum):
    """The five level words of 好差评.

    Words, never numbers: two opposite numberings are official (GB/T 39046-2020 A.8
    counts 1 as best, the national interface counts 5 as best), so numbers live only
    at the edges that need one of them.
    """

    VERY_SATISFIED = "very_satisfied"
    SATISFIED = "satisfied"
    BASICALLY_SATISFIED = "basically_satisfied"
    DISSATISFIED = "dissatisfied"
    VERY_DISSATISFIED = "very_dissatisfied"


LEVEL_ZH: dict[Level, str] = {
    Level.VERY_SATISFIED: "非常满意",
    Level.SATISFIED: "满意",
    Level.BASICALLY_SATISFIED: "基本满意",
    Level.DISSATISFIED: "不满意",
    Level.VERY_DISSATISFIED: "非常不满意",
}

#: Aware, so that a row without its offset is not read as some other hour.
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Kind = Literal["normal", "appointment", "priority", "care"]
Outcome = Literal["done", "not_done", "unrecorded"]


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What all facts carry.

    position: ordinal of the fact in its hall's whole log, from 1 without gap; the
        number that evidence cites. The writer sets it.
    at: when it happened, aware UTC, whole milliseconds, never before the fact ahead
        of it.
    command: id of the command that caused it; empty for what the hall does itself.
    """

    at: Instant
    position: int = 0
    command: str = ""


# ── Setting up ──────────────────────────────────────────────────────────────


class CataloguePublished(Fact, frozen=True, kw_only=True):
    """目录发布: this catalogue of items, windows and hours is in force from now."""

    catalogue: Catalogue


# ── Windows ─────────────────────────────────────────────────────────────────


class WindowOpened(Fact, frozen=True, kw_only=True):
    """开窗: a clerk signed in and the window may call the given items."""

    window: str
    clerk: str
    items: tuple[str, ...]


class WindowPaused(Fact, frozen=True, kw_only=True):
    """暂停: the clerk stopped calling for a while, for the reason given."""

    window: str
    reason: str = ""


class WindowResumed(Fact, frozen=True, kw_only=True):
    """恢复: the clerk is back and may call again."""

    window: str


class WindowClosed(Fact, frozen=True, kw_only=True):
    """关窗: the clerk signed out."""

    window: str


# ── Tickets ─────────────────────────────────────────────────────────────────


class TicketTaken(Fact, frozen=True, kw_only=True):
    """取号: a visitor arrived and joined the waiting line of an item.

    person: keyed hash of an identity number; never the number, never a name.
    """

    ticket: str
    item: str
    kind: Kind = "normal"
    channel: str = "kiosk"
    person: str = ""


class AppointmentCheckedIn(Fact, frozen=True, kw_only=True):
    """预约签到: a booking became this ticket; waiting counts from max(slot, now)."""

    ticket: str
    item: str
    booking: str
    slot_at: Instant


class TicketCalled(Fact, frozen=True, kw_only=True):
    """叫号: the ticket was called to the window; the visitor is not there yet.

    policy: which call policy chose it, `by_hand` for a designated call.
    reason: why the clerk chose it; only for a designated call (指定呼叫).
    """

    ticket: str
    window: str
    clerk: str
    policy: str
    reason: str = ""


class TicketRecalled(Fact, frozen=True, kw_only=True):
    """重呼: the ticket was called again to the same window."""

    ticket: str
    window: str


class NoShowDeclared(Fact, frozen=True, kw_only=True):
    """过号: the called visitor did not come; the window is free again."""

    ticket: str
    window: str


class TicketRequeued(Fact, frozen=True, kw_only=True):
    """过号恢复: the visitor came back and waits again.

    place: how many tickets of the item stay ahead; 0 is the front.
    """

    ticket: str
    place: int


class TicketAbandoned(Fact, frozen=True, kw_only=True):
    """弃号: the visitor gave up while waiting."""

    ticket: str


class ServiceStarted(Fact, frozen=True, kw_only=True):
    """开始办理: the visitor is at the window and being served."""

    ticket: str
    window: str


class ServiceFinished(Fact, frozen=True, kw_only=True):
    """办结: the window is done with this ticket.

    outcome: `unrecorded` when a source does not know when or how service ended;
        no service time is computed from it.
    implied: true when the next call finished it and not the clerk's own key.
    """

    ticket: str
    window: str
    outcome: Outcome = "done"
    implied: bool = False


class TicketTransferred(Fact, frozen=True, kw_only=True):
    """转移: the ticket left the window for another item's waiting line."""

    ticket: str
    window: str
    item: str
    front: bool = False


# ── Evaluation ──────────────────────────────────────────────────────────────


class EvaluationInvited(Fact, frozen=True, kw_only=True):
    """邀评: the clerk asked the visitor to rate, without hinting at a level."""

    ticket: str
    window: str


class EvaluationGiven(Fact, frozen=True, kw_only=True):
    """评价: the visitor rated the service with one of the five level words."""

    ticket: str
    window: str
    level: Level
    reasons: tuple[str, ...] = ()
    channel: str = "tablet"


class EvaluationLapsed(Fact, frozen=True, kw_only=True):
    """未评: the invitation ran out; not rated is never counted as good."""

    ticket: str
    window: str


# ── The hall ────────────────────────────────────────────────────────────────


class DeviceLost(Fact, frozen=True, kw_only=True):
    """设备离线: a screen, speaker, strip, printer or terminal stopped answering."""

    device: str


class DeviceRestored(Fact, frozen=True, kw_only=True):
    """设备恢复: the device answers again."""

    device: str


class ClockStepped(Fact, frozen=True, kw_only=True):
    """时钟回拨: the clock went back by this much; order stays the log's order."""

    back_ms: int


class OutageDeclared(Fact, frozen=True, kw_only=True):
    """系统故障: no window is to blame for what happened between the two instants."""

    from_at: Instant
    to_at: Instant
    reason: str


class HallClosed(Fact, frozen=True, kw_only=True):
    """闭厅: the day is over; tickets still open are closed by it.

    reason: `clerk` when somebody closed the hall, `day_change` when the next day's
        first command found it open.
    """

    reason: str = "clerk"


class DaySealed(Fact, frozen=True, kw_only=True):
    """封存: the stream had this many facts before this one, and this Merkle root.

    A stream may be sealed again when facts came later; each seal covers all before it.

    root: RFC 9162 over the rows (floor/seals.py), 64 hexadecimal digits.
    """

    size: int
    root: str


FACTS: tuple[type[Fact], ...] = (
    CataloguePublished,
    WindowOpened,
    WindowPaused,
    WindowResumed,
    WindowClosed,
    TicketTaken,
    AppointmentCheckedIn,
    TicketCalled,
    TicketRecalled,
    NoShowDeclared,
    TicketRequeued,
    TicketAbandoned,
    ServiceStarted,
    ServiceFinished,
    TicketTransferred,
    EvaluationInvited,
    EvaluationGiven,
    EvaluationLapsed,
    DeviceLost,
    DeviceRestored,
    ClockStepped,
    OutageDeclared,
    HallClosed,
    DaySealed,
)

#: The closed registry: only these names are ever read from a log.
TOPICS: dict[str, type[Fact]] = {fact.__name__: fact for fact in FACTS}


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One fact with its place in the log.

    stream: `hall-1/2026-11-22` for a business day, `hall-1/setup` for configuration.
    version: number of the fact within its stream, from 1 without gap.
    """

    stream: str
    version: int
    fact: Fact

    @property
    def position(self) -> int:
        return self.fact.position

    @property
    def topic(self) -> str:
        return type(self.fact).__name__


_ENCODER = msgspec.json.Encoder()
_DECODERS = {name: msgspec.json.Decoder(fact) for name, fact in TOPICS.items()}


class UnknownTopic(ValueError):
    """The log holds a fact that this release does not know."""


def encode(fact: Fact) -> bytes:
    """The bytes that the log keeps for a fact."""
    return _ENCODER.encode(fact)


def decode(topic: str, state: bytes) -> Fact:
    """The fact behind a row of the log.

    Raises:
        UnknownTopic: the topic is not in the registry; nothing is ever imported
            because a row names it.
        msgspec.ValidationError: the state does not fit the topic.
    """
    decoder = _DECODERS.get(topic)
    if decoder is None:
        raise UnknownTopic(f"Fact {topic!r} is unknown to this release.")
    return decoder.decode(state)
