"""What can be asked of the hall, in one shape for every door.

HTTP, websocket, terminal, import and rehearsal all make these structs and hand them to
`hall.do`.
"""

import re
from typing import Annotated, Literal, TypeVar

import msgspec

from floor import refusals
from floor.catalogue import STEPS_MAX, Catalogue
from floor.practice import BACK, Id
from floor.words import LEVEL_ZH, Instant, Kind, Level, Outcome

Text = Annotated[str, msgspec.Meta(max_length=200)]
TicketId = Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{1,4}[0-9]{3,6})?\Z")]
BookingId = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{8}-[0-9]{3,6}\Z")]
#: A keyed hash (floor.tokens.person_of), never an identity number.
Person = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{32})?\Z")]
Steps = Annotated[tuple[Id, ...], msgspec.Meta(max_length=STEPS_MAX)]
Ahead = Annotated[int, msgspec.Meta(ge=BACK, le=1_000)]
IdOrNone = Annotated[str, msgspec.Meta(max_length=40, pattern=r"^[\w.-]*\Z")]
CommandId = Annotated[str, msgspec.Meta(pattern=r"^[\w.:#/-]{0,80}\Z")]
Channel = Literal["kiosk", "staff", "phone", "tablet", "qr", "import", "rehearsal"]


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="command"):
    """What all commands carry.

    command_id: chosen by whoever presses, so that a repeated press or a retry after
        a lost answer has one effect; empty lets the door choose one.
    """

    command_id: CommandId = ""


class OpenWindow(Command, frozen=True, kw_only=True, tag="open"):
    """开窗: a clerk signs in at a closed window, perhaps in another's place (AB角)."""

    window: Id
    clerk: Id
    substitutes: IdOrNone = ""


class PauseWindow(Command, frozen=True, kw_only=True, tag="pause"):
    """暂停: a free window stops calling, for the reason given."""

    window: Id
    reason: Text = ""


class ResumeWindow(Command, frozen=True, kw_only=True, tag="resume"):
    """恢复: a paused window calls again."""

    window: Id


class CloseWindow(Command, frozen=True, kw_only=True, tag="close"):
    """关窗: the clerk signs out; with `give_back`, tickets kept here wait in front."""

    window: Id
    give_back: bool = False


class MoveClerk(Command, frozen=True, kw_only=True, tag="move"):
    """换窗: the clerk goes on at another window, with all that is in hand."""

    window: Id
    to: Id


class CallNext(Command, frozen=True, kw_only=True, tag="call"):
    """叫号: the next ticket by the call policy comes to the window."""

    window: Id


class CallTicket(Command, frozen=True, kw_only=True, tag="call-ticket"):
    """指定呼叫: a waiting ticket chosen by hand, with the reason."""

    window: Id
    ticket: TicketId
    reason: Text = ""


class RecallTicket(Command, frozen=True, kw_only=True, tag="recall"):
    """重呼: call the ticket in hand again."""

    window: Id
    ticket: TicketId = ""


class UndoCall(Command, frozen=True, kw_only=True, tag="undo"):
    """撤销叫号: take back a wrong call; the ticket waits as before."""

    window: Id
    ticket: TicketId = ""


class HoldTicket(Command, frozen=True, kw_only=True, tag="hold"):
    """挂起: keep the ticket while its visitor fetches something."""

    window: Id
    ticket: TicketId = ""
    reason: Text = ""


class ReturnTicket(Command, frozen=True, kw_only=True, tag="return"):
    """回呼: serve a ticket on hold again."""

    window: Id
    ticket: TicketId = ""


class TransferTicket(Command, frozen=True, kw_only=True, tag="transfer"):
    """转移: the ticket in hand waits for another item, window or person."""

    window: Id
    ticket: TicketId = ""
    item: IdOrNone = ""
    to_window: IdOrNone = ""
    to_clerk: IdOrNone = ""
    front: bool = False


class DeclareNoShow(Command, frozen=True, kw_only=True, tag="no-show"):
    """过号: the visitor who was called is not there."""

    window: Id
    ticket: TicketId = ""


class StartService(Command, frozen=True, kw_only=True, tag="start"):
    """开始办理: the visitor who was called is at the window."""

    window: Id
    ticket: TicketId = ""


class FinishService(Command, frozen=True, kw_only=True, tag="finish"):
    """办结: the window is done; `item` is where the visitor goes on (一票到底)."""

    window: Id
    ticket: TicketId = ""
    outcome: Outcome = "done"
    item: IdOrNone = ""


class InviteEvaluation(Command, frozen=True, kw_only=True, tag="invite"):
    """邀评: ask the visitor served last, or the one named, to rate."""

    window: Id
    ticket: TicketId = ""


class TakeTicket(Command, frozen=True, kw_only=True, tag="take"):
    """取号: join the waiting line of an item."""

    item: Id
    kind: Kind = "normal"
    channel: Channel = "kiosk"
    person: Person = ""
    ground: IdOrNone = ""
    then: Steps = ()


class RequeueTicket(Command, frozen=True, kw_only=True, tag="requeue"):
    """过号恢复: the visitor who was not there has come, and waits again."""

    ticket: TicketId
    place: Ahead | None = None


class DeferTicket(Command, frozen=True, kw_only=True, tag="defer"):
    """延后: let some others go first."""

    ticket: TicketId


class BookAppointment(Command, frozen=True, kw_only=True, tag="book"):
    """预约: a place in a time slot of an item."""

    item: Id
    slot_at: Instant
    person: Person = ""
    channel: Channel = "phone"


class CancelAppointment(Command, frozen=True, kw_only=True, tag="cancel"):
    """取消预约: give the place back in time."""

    booking: BookingId


class CheckIn(Command, frozen=True, kw_only=True, tag="check-in"):
    """预约签到: the booking becomes a ticket."""

    booking: BookingId
    channel: Channel = "kiosk"


class AbandonTicket(Command, frozen=True, kw_only=True, tag="abandon"):
    """弃号: give up waiting."""

    ticket: TicketId


class Evaluate(Command, frozen=True, kw_only=True, tag="evaluate"):
    """评价: rate a finished service with one of the five level words."""

    ticket: TicketId
    level: Level
    channel: Channel = "tablet"


class CloseHall(Command, frozen=True, kw_only=True, tag="close-hall"):
    """闭厅: the business day is over, or the hall must be left at once."""

    reason: Literal["clerk", "emergency"] = "clerk"


class ReopenHall(Command, frozen=True, kw_only=True, tag="reopen-hall"):
    """恢复开厅: the hall goes on after it was closed too early."""

    reason: Text = ""


class DeclareOutage(Command, frozen=True, kw_only=True, tag="outage"):
    """系统故障: nobody is to blame for what happened between the two instants."""

    from_at: Instant
    to_at: Instant
    reason: Text


class PublishCatalogue(Command, frozen=True, kw_only=True, tag="publish"):
    """目录发布: a new catalogue comes into force at once."""

    catalogue: Catalogue


C = TypeVar("C", bound=msgspec.Struct)

#: What a clerk may ask at a window, by the word in the path or the message.
WINDOW_COMMANDS: dict[str, type[Command]] = {
    "open": OpenWindow,
    "pause": PauseWindow,
    "resume": ResumeWindow,
    "close": CloseWindow,
    "move": MoveClerk,
    "call": CallNext,
    "call-ticket": CallTicket,
    "recall": RecallTicket,
    "undo": UndoCall,
    "no-show": DeclareNoShow,
    "start": StartService,
    "finish": FinishService,
    "hold": HoldTicket,
    "return": ReturnTicket,
    "transfer": TransferTicket,
    "invite": InviteEvaluation,
}

_LEVEL_BY_ZH = {zh: level for level, zh in LEVEL_ZH.items()}


def read(raw: object, shape: type[C]) -> C:
    """A command from plain values that came through a door.

    A level may be given as its word or in Chinese (`"非常满意"`). Unknown names are
    ignored.

    Raises:
        BadInput: naming the field at fault.
    """
    if not isinstance(raw, dict):
        raise refusals.BadInput(
            name="body", why="not a JSON object", why_zh="应为 JSON 对象"
        )
    words = {name: word for name, word in raw.items() if word is not None}
    level = words.get("level")
    if isinstance(level, str):
        words["level"] = _LEVEL_BY_ZH.get(level, level)
    words["command"] = shape.__struct_config__.tag
    try:
        return msgspec.convert(words, shape)
    except msgspec.ValidationError as error:
        raise bad_input(error) from None


def bad_input(error: msgspec.ValidationError) -> refusals.BadInput:
    """The sentence for a value of the wrong shape, with its field."""
    text = str(error)
    missing = re.search(r"missing required field `(\w+)`", text)
    at = re.search(r" - at `\$\.?([^`]*)`", text)
    name = missing[1] if missing else (at[1] if at else "") or "body"
    why = text.partition(" - at ")[0][:WHY_CHARS_MAX]
    why_zh = next((zh for en, zh in WRONG_ZH.items() if en in why), "格式不对")
    return refusals.BadInput(name=name, why=why, why_zh=why_zh)


WHY_CHARS_MAX = 80  # The value at fault is quoted, and may be as long as a message.

#: What msgspec says of a wrong value, in Chinese; the first that fits.
WRONG_ZH = {
    "missing required field": "缺少这一项",
    "Expected `str`, got": "应为文字",
    "Expected `str` of length >=": "不能为空",
    "Expected `str` of length <=": "太长",
    "Invalid enum value": "不在可选的取值中",
    "Expected `object`": "应为 JSON 对象",
    "contains unknown field": "有不认识的项",
}
