"""What can be asked of the hall, in one shape for every door.

HTTP, websocket, terminal, import and rehearsal all make these structs and hand them to
`hall.do`; `decide` is the only place where a command meets its rule.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec

from floor import refusals, rules
from floor.catalogue import Id
from floor.day import Day
from floor.facts import LEVEL_ZH, Fact, Kind, Level, Outcome, TicketCalled

Text = Annotated[str, msgspec.Meta(max_length=200)]
TicketId = Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{1,3}[0-9]{3,6})?\Z")]
CommandId = Annotated[str, msgspec.Meta(pattern=r"^[\w.:#/-]{0,80}\Z")]
Channel = Literal["kiosk", "staff", "phone", "tablet", "qr", "import", "rehearsal"]


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="command"):
    """What all commands carry.

    command_id: chosen by whoever presses, so that a repeated press or a retry after
        a lost answer has one effect; empty lets the door choose one.
    """

    command_id: CommandId = ""


class OpenWindow(Command, frozen=True, kw_only=True, tag="open"):
    """开窗: a clerk signs in at a closed window."""

    window: Id
    clerk: Id


class PauseWindow(Command, frozen=True, kw_only=True, tag="pause"):
    """暂停: a free window stops calling, for the reason given."""

    window: Id
    reason: Text = ""


class ResumeWindow(Command, frozen=True, kw_only=True, tag="resume"):
    """恢复: a paused window calls again."""

    window: Id


class CloseWindow(Command, frozen=True, kw_only=True, tag="close"):
    """关窗: the clerk signs out with no ticket in hand."""

    window: Id


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


class DeclareNoShow(Command, frozen=True, kw_only=True, tag="no-show"):
    """过号: the visitor who was called is not there."""

    window: Id
    ticket: TicketId = ""


class StartService(Command, frozen=True, kw_only=True, tag="start"):
    """开始办理: the visitor who was called is at the window."""

    window: Id
    ticket: TicketId = ""


class FinishService(Command, frozen=True, kw_only=True, tag="finish"):
    """办结: the window is done with the ticket being served."""

    window: Id
    ticket: TicketId = ""
    outcome: Outcome = "done"


class InviteEvaluation(Command, frozen=True, kw_only=True, tag="invite"):
    """邀评: ask the visitor served last, or the one named, to rate."""

    window: Id
    ticket: TicketId = ""


class TakeTicket(Command, frozen=True, kw_only=True, tag="take"):
    """取号: join the waiting line of an item."""

    item: Id
    kind: Kind = "normal"
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
    """闭厅: the business day is over."""


C = TypeVar("C", bound=Command)
Rule = Callable[..., Fact]

RULES: dict[type[Command], Rule] = {
    OpenWindow: rules.open_window,
    PauseWindow: rules.pause_window,
    ResumeWindow: rules.resume_window,
    CloseWindow: rules.close_window,
    CallNext: rules.call_next,
    CallTicket: rules.call_ticket,
    RecallTicket: rules.recall_ticket,
    DeclareNoShow: rules.declare_no_show,
    StartService: rules.start_service,
    FinishService: rules.finish_service,
    InviteEvaluation: rules.invite_evaluation,
    TakeTicket: rules.take_ticket,
    AbandonTicket: rules.abandon_ticket,
    Evaluate: rules.evaluate,
    CloseHall: rules.close_hall,
}

#: What a clerk may ask at a window, by the word in the path or the message.
WINDOW_COMMANDS: dict[str, type[Command]] = {
    "open": OpenWindow,
    "pause": PauseWindow,
    "resume": ResumeWindow,
    "close": CloseWindow,
    "call": CallNext,
    "call-ticket": CallTicket,
    "recall": RecallTicket,
    "no-show": DeclareNoShow,
    "start": StartService,
    "finish": FinishService,
    "invite": InviteEvaluation,
}

_LEVEL_BY_ZH = {zh: level for level, zh in LEVEL_ZH.items()}


def decide(command: Command, day: Day, at: datetime) -> Fact:
    """The fact that a command causes on this day.

    Raises:
        Refused: the rule says no.
    """
    words = msgspec.structs.asdict(command)
    del words["command_id"]
    return RULES[type(command)](day, at, **words)


def same(command: Command, fact: Fact) -> bool:
    """Whether a command already carried out as this fact is being repeated.

    Every word that both carry must be equal; an empty word of the command left the
    choice to the hall.
    """
    if TOPIC_OF[type(command)] != type(fact).__name__:
        return False
    if isinstance(fact, TicketCalled):
        by_hand = fact.policy == rules.BY_HAND
        if by_hand != isinstance(command, CallTicket):
            return False
    return all(
        getattr(fact, name, word) == word
        for name, word in msgspec.structs.asdict(command).items()
        if name != "command_id" and word != ""
    )


TOPIC_OF: dict[type[Command], str] = {
    OpenWindow: "WindowOpened",
    PauseWindow: "WindowPaused",
    ResumeWindow: "WindowResumed",
    CloseWindow: "WindowClosed",
    CallNext: "TicketCalled",
    CallTicket: "TicketCalled",
    RecallTicket: "TicketRecalled",
    DeclareNoShow: "NoShowDeclared",
    StartService: "ServiceStarted",
    FinishService: "ServiceFinished",
    InviteEvaluation: "EvaluationInvited",
    TakeTicket: "TicketTaken",
    AbandonTicket: "TicketAbandoned",
    Evaluate: "EvaluationGiven",
    CloseHall: "HallClosed",
}


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
}
