"""What clerk and hall say to each other: one JSON object a message, both ends.

The clerk presses and gets an answer; the hall also pushes a board whenever something
changed that this window is concerned with. A board replaces all that was known
before, so none is ever missed, and the one that a press has caused arrives before the
answer to the press.

    {"id": "0b9d…", "command": "call"}                                   clerk → hall
    {"say": "board", "position": 41, "window": "3", …}                   hall → clerk
    {"say": "done", "id": "0b9d…", "fact": "TicketCalled", "ticket": "A012", …}
    {"say": "refused", "id": "0b9d…", "refused": "NobodyWaiting", "message": {…}}
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from floor import commands, refusals
from floor.commands import Command
from floor.day import WindowState
from floor.facts import Kind

# A clerk looks at the next few; all others are in the counts.
WAITING_MAX = 20
# A window of every one of 2,000 items, each named as long as a catalogue allows.
BOARD_BYTES_MAX = 2**21
# An echo of what was asked for need not be longer than any right word.
ECHO_CHARS_MAX = 40

CLOSE_BAD_MESSAGES = 4000
CLOSE_UNKNOWN_WINDOW = 4004
CLOSE_STALLED = 4008


# ── Hall → clerk ────────────────────────────────────────────────────────────


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The waiting line of one of the window's items."""

    item: str
    name: str
    name_en: str
    waiting: int


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket that waits for this window."""

    ticket: str
    item: str
    kind: Kind
    taken_at: datetime


class InHand(msgspec.Struct, frozen=True, kw_only=True):
    """The ticket that was called to the window, or is being served there.

    times: how often it was called, 1 for the first call.
    started_at: None until the visitor is there.
    service_s: standard service time of its item.
    """

    ticket: str
    item: str
    name: str
    name_en: str
    kind: Kind
    times: int
    called_at: datetime
    started_at: datetime | None
    service_s: int


class Last(msgspec.Struct, frozen=True, kw_only=True):
    """The ticket served last here; how it was rated is not for the clerk to see."""

    ticket: str
    invited: bool
    rated: bool


class Board(msgspec.Struct, frozen=True, kw_only=True, tag="board", tag_field="say"):
    """All that a clerk has in view, as of a position.

    position: number of the last fact that is in it; 0 in an empty log.
    now: the hall's clock, so that ages do not depend on the terminal's.
    since: when the present state of the window began; None before it first opened.
    waiting: the first WAITING_MAX tickets for this window, in the hall's order.
    """

    position: int
    now: datetime
    hall: str
    hall_en: str
    closed: bool
    window: str
    name: str
    name_en: str
    state: WindowState
    clerk: str
    since: datetime | None
    in_hand: InHand | None
    last: Last | None
    lines: tuple[Line, ...]
    waiting: tuple[Waiting, ...]


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done", tag_field="say"):
    """A press was carried out and is in the log.

    fact: the topic of the fact, `TicketCalled`.
    repeated: an earlier press with this id had done it.
    """

    id: str
    fact: str
    ticket: str | None
    position: int
    repeated: bool = False


class Refused(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag="refused",
    tag_field="say",
    omit_defaults=True,
):
    """The hall said no and nothing changed.

    id: empty when the message could not be read so far.
    field: name of the input at fault, if one is.
    """

    id: str = ""
    refused: str
    message: dict[str, str]
    field: str = ""


HallSays = Board | Done | Refused

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(HallSays)


def encode(says: HallSays) -> str:
    return _ENCODER.encode(says).decode()


def decode(text: str | bytes) -> HallSays:
    """What the hall says; unknown fields are ignored.

    Raises:
        msgspec.DecodeError: it is nothing that this release understands.
    """
    says: HallSays = _DECODER.decode(text)
    return says


# ── Clerk → hall ────────────────────────────────────────────────────────────


class Asked(msgspec.Struct, frozen=True):
    """A press as it came through the door: its id could be read, no more."""

    id: str
    words: dict[str, Any]

    def command(self, window: str) -> Command:
        """The command, for the window that the connection belongs to.

        Raises:
            UnknownCommand, BadInput: with the sentence for the clerk.
        """
        word = self.words.get("command")
        if not isinstance(word, str):
            raise refusals.BadInput(name="command", why="not a word", why_zh="应为文字")
        shape = commands.WINDOW_COMMANDS.get(word)
        if shape is None:
            raise refusals.UnknownCommand(command=word[:ECHO_CHARS_MAX])
        # Whatever window or command_id the message names, the address and the id rule.
        own = {"window": window, "command_id": self.id}
        return commands.read(self.words | own, shape)


def ask(id: str, command: str, words: dict[str, str]) -> str:
    """A press, as it goes over the wire."""
    return msgspec.json.encode({"id": id, "command": command, **words}).decode()


def read_asked(text: str) -> Asked:
    """A press from the wire.

    Raises:
        BadInput: not a JSON object with a UUID as its id.
    """
    try:
        words = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise refusals.BadInput(
            name="body", why="not JSON", why_zh="不是有效的 JSON"
        ) from None
    if not isinstance(words, dict):
        raise refusals.BadInput(
            name="body", why="not a JSON object", why_zh="应为 JSON 对象"
        )
    try:
        id = str(UUID(words.get("id")))
    except (ValueError, AttributeError, TypeError):
        raise refusals.BadInput(
            name="id", why="not a UUID", why_zh="应为 UUID"
        ) from None
    return Asked(id, words)
