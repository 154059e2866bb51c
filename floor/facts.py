"""Every fact that can happen on a hall day: the vocabulary of the log.

A fact (事实) is past tense, frozen and small. Its class name is its topic in the log,
for ever: only optional fields may be added, a changed meaning is a new name. The
docstrings are the glossary (docs/glossary.md is printed from them).
"""

from collections.abc import Callable

import msgspec

from floor.catalogue import Catalogue
from floor.words import LEVEL_ZH as LEVEL_ZH
from floor.words import Because as Because
from floor.words import Fact as Fact
from floor.words import Instant as Instant
from floor.words import Kind as Kind
from floor.words import Level as Level
from floor.words import Outcome as Outcome

# ── Setting up ──────────────────────────────────────────────────────────────


class CataloguePublished(Fact, frozen=True, kw_only=True):
    """目录发布: this catalogue of items, windows and hours is in force from now."""

    catalogue: Catalogue


# ── Windows ─────────────────────────────────────────────────────────────────


class WindowOpened(Fact, frozen=True, kw_only=True):
    """开窗: a clerk signed in and the window may call the given items.

    substitutes: the clerk (A角) whose place this one (B角) takes; empty for none.
    """

    window: str
    clerk: str
    items: tuple[str, ...]
    substitutes: str = ""


class WindowPaused(Fact, frozen=True, kw_only=True):
    """暂停: the clerk stopped calling for a while, for the reason given.

    approved: the catalogue says that this reason is a good one.
    """

    window: str
    reason: str = ""
    approved: bool = False


class WindowResumed(Fact, frozen=True, kw_only=True):
    """恢复: the clerk is back and may call again."""

    window: str


class WindowClosed(Fact, frozen=True, kw_only=True):
    """关窗: the clerk signed out."""

    window: str


class ClerkMoved(Fact, frozen=True, kw_only=True):
    """换窗: the clerk went on at another window, with the tickets in hand and held.

    window, to: the window left and closed by it, and the one opened by it.
    items: what the new window may call.
    """

    window: str
    to: str
    clerk: str
    items: tuple[str, ...]


# ── Tickets ─────────────────────────────────────────────────────────────────


class TicketTaken(Fact, frozen=True, kw_only=True):
    """取号: a visitor arrived and joined the waiting line of an item.

    person: keyed hash of an identity number; never the number, never a name.
    ground: why the kind is priority or care, an id of the catalogue.
    then: items whose lines the visitor joins next (一票到底).
    """

    ticket: str
    item: str
    kind: Kind = "normal"
    channel: str = "kiosk"
    person: str = ""
    ground: str = ""
    then: tuple[str, ...] = ()


class AppointmentBooked(Fact, frozen=True, kw_only=True):
    """预约: somebody will come for an item in the time slot that begins at `slot_at`.

    booking: its number, `20261126-001`; the date is that of the slot.
    """

    booking: str
    item: str
    slot_at: Instant
    person: str = ""
    channel: str = "phone"


class AppointmentCancelled(Fact, frozen=True, kw_only=True):
    """取消预约: the booking was given back in time."""

    booking: str


class AppointmentMissed(Fact, frozen=True, kw_only=True):
    """爽约: the hall closed, and whoever had booked did not come."""

    booking: str


class AppointmentCheckedIn(Fact, frozen=True, kw_only=True):
    """预约签到: a booking became this ticket; waiting counts from max(slot, now).

    due_at: from when it counts in the order of the line; None is like `at`.
    late: after the grace time, so that it waits as a walk-in.
    then: items whose lines the visitor joins next (一票到底).
    """

    ticket: str
    item: str
    booking: str
    slot_at: Instant
    due_at: Instant | None = None
    late: bool = False
    person: str = ""
    channel: str = "kiosk"
    then: tuple[str, ...] = ()


class TicketCalled(Fact, frozen=True, kw_only=True):
    """叫号: the ticket was called to the window; the visitor is not there yet.

    policy: which call policy chose it, `by_hand` for a designated call.
    reason: why the clerk chose it; only for a designated call (指定呼叫).
    because: why it was the next one.
    passed: how many tickets that this window could have called stood before it.
    """

    ticket: str
    window: str
    clerk: str
    policy: str
    reason: str = ""
    because: Because = ""
    passed: int = 0


class TicketRecalled(Fact, frozen=True, kw_only=True):
    """重呼: the ticket was called again to the same window."""

    ticket: str
    window: str


class CallUndone(Fact, frozen=True, kw_only=True):
    """撤销叫号: the call was a mistake; the ticket waits again where it stood."""

    ticket: str
    window: str


class NoShowDeclared(Fact, frozen=True, kw_only=True):
    """过号: the called visitor did not come; the window is free again."""

    ticket: str
    window: str


class TicketRequeued(Fact, frozen=True, kw_only=True):
    """过号恢复: the visitor came back and waits again; or was put elsewhere (延后).

    place: how many tickets of the line stay ahead; 0 is the front, -1 the back.
    window: the window that gives it back unserved when it closes; empty otherwise.
    """

    ticket: str
    place: int
    window: str = ""


class TicketAbandoned(Fact, frozen=True, kw_only=True):
    """弃号: the visitor gave up while waiting."""

    ticket: str


class TicketHeld(Fact, frozen=True, kw_only=True):
    """挂起: the visitor fetches something; the window is free and keeps the ticket."""

    ticket: str
    window: str
    reason: str = ""


class TicketReturned(Fact, frozen=True, kw_only=True):
    """回呼: the ticket on hold is being served again."""

    ticket: str
    window: str


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
    """转移: the ticket left the window for another waiting line, unfinished.

    to_window, to_clerk: when only that window or that clerk may call it.
    """

    ticket: str
    window: str
    item: str
    front: bool = False
    to_window: str = ""
    to_clerk: str = ""


class TicketContinued(Fact, frozen=True, kw_only=True):
    """续办: one item of the visit is finished, and the ticket waits for the next."""

    ticket: str
    window: str
    item: str


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

    reason: `clerk` when somebody closed the hall, `emergency` when it had to be left
        at once, `day_change` when the next day's first command found it open.
    """

    reason: str = "clerk"


class HallReopened(Fact, frozen=True, kw_only=True):
    """恢复开厅: the hall goes on today; tickets that were closed stay closed."""

    reason: str = ""


class DaySealed(Fact, frozen=True, kw_only=True):
    """封存: the stream had this many facts before this one, and this Merkle root.

    A stream may be sealed again when facts came later; each seal covers all before it.

    root: RFC 9162 over the rows (floor/seals.py), 64 hexadecimal digits.
    """

    size: int
    root: str


#: In the order of this file; nothing else is ever a fact.
FACTS: tuple[type[Fact], ...] = tuple(Fact.__subclasses__())

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
#: By topic, for whoever reads thousands; see `decode`.
DECODERS: dict[str, Callable[[bytes], Fact]] = {
    name: msgspec.json.Decoder(fact).decode for name, fact in TOPICS.items()
}


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
    decoder = DECODERS.get(topic)
    if decoder is None:
        raise UnknownTopic(f"Fact {topic!r} is unknown to this release.")
    return decoder(state)
