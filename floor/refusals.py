"""How the hall says no: one class, one code and one sentence for each reason.

The docstring documents, `zh` and `en` are what a person reads, `code` is the class
name. A refusal changes nothing and is not an error: the caller gets the sentence.
"""


class Refused(Exception):
    """The hall said no; nothing changed."""

    zh = "不能这样操作"
    en = "That is not possible"
    #: HTTP status of the JSON door: 404 when the path names nothing we have.
    status = 409
    #: Name of the input at fault, when it is an input's fault.
    field = ""

    def __init__(self, **words: object) -> None:
        self.words = words
        super().__init__(self.en.format(**words))

    @property
    def code(self) -> str:
        return type(self).__name__

    @property
    def message(self) -> dict[str, str]:
        """The sentence in both languages."""
        return {
            "zh": self.zh.format(**self.words),
            "en": self.en.format(**self.words),
        }


class Unusable(ValueError):
    """A file, address or word from outside cannot be used; the sentence says why.

    Not a refusal of the hall: nothing was asked of it yet.
    """

    def __init__(self, zh: str, en: str) -> None:
        self.message = {"zh": zh, "en": en}
        super().__init__(f"{zh} / {en}")


class LogFailed(RuntimeError):
    """The log could not be written; whether rows became durable is to be looked up."""


class LogLost(LogFailed):
    """This process cannot speak for the log any more and must end.

    The disk failed, so that memory and disk may differ; or another process has taken
    the hall over.
    """

    def __init__(self, zh: str, en: str) -> None:
        self.message = {"zh": zh, "en": en}
        super().__init__(f"{zh} / {en}")


class HallIsClosed(Refused):
    """The business day was closed; nothing more is taken or called today."""

    zh = "今天已闭厅，不再取号和叫号"
    en = "The hall is closed for today"


class UnknownItem(Refused):
    """No such service item in the catalogue."""

    zh = "没有“{item}”这个事项"
    en = "There is no service item {item!r}"
    status = 422
    field = "item"


class UnknownWindow(Refused):
    """No such window in the catalogue."""

    zh = "没有{window}号窗口"
    en = "There is no window {window!r}"
    status = 404
    field = "window"


class UnknownTicket(Refused):
    """No such ticket today."""

    zh = "今天没有{ticket}这个号"
    en = "There is no ticket {ticket!r} today"
    status = 404
    field = "ticket"


class WindowAlreadyOpen(Refused):
    """The window is open under another clerk, or under the same one."""

    zh = "{window}号窗口已由{clerk}开窗"
    en = "Window {window} is already open under clerk {clerk}"


class ClerkElsewhere(Refused):
    """The clerk is signed in at another window."""

    zh = "{clerk}已在{window}号窗口登录"
    en = "Clerk {clerk} is already signed in at window {window}"


class WindowNotOpen(Refused):
    """Nobody is signed in at the window."""

    zh = "{window}号窗口还没有开窗"
    en = "Window {window} is not open"


class WindowOnPause(Refused):
    """The window is on pause; resume first."""

    zh = "{window}号窗口正在暂停，请先恢复"
    en = "Window {window} is on pause; resume first"


class WindowNotPaused(Refused):
    """The window is not on pause, so there is nothing to resume."""

    zh = "{window}号窗口没有暂停"
    en = "Window {window} is not on pause"


class WindowBusy(Refused):
    """The window still has a ticket in hand."""

    zh = "{window}号窗口还有{ticket}号未办结"
    en = "Window {window} still has ticket {ticket}"


class NobodyWaiting(Refused):
    """No ticket waits for any item of the window."""

    zh = "{window}号窗口没有人等候"
    en = "Nobody is waiting for window {window}"


class NothingCalled(Refused):
    """The window has no ticket in hand."""

    zh = "{window}号窗口现在没有叫号"
    en = "Window {window} has no ticket in hand"


class AlreadyStarted(Refused):
    """Service of the ticket has begun; it can only be finished."""

    zh = "{ticket}号已在{window}号窗口办理"
    en = "Ticket {ticket} is already being served at window {window}"


class NotStarted(Refused):
    """Service of the ticket has not begun."""

    zh = "{ticket}号还没有开始办理"
    en = "Service of ticket {ticket} has not started"


class TicketNotHere(Refused):
    """The ticket named is not the one in hand at the window."""

    zh = "{window}号窗口现在办的是{current}号，不是{ticket}号"
    en = "Window {window} has ticket {current} in hand, not {ticket}"


class TicketNotWaiting(Refused):
    """The ticket is not in a waiting line."""

    zh = "{ticket}号不在等候中"
    en = "Ticket {ticket} is not waiting"


class ItemNotAtWindow(Refused):
    """The window does not handle the item of the ticket."""

    zh = "{window}号窗口不办理{ticket}号的事项"
    en = "Window {window} does not handle the item of ticket {ticket}"


class NotServedYet(Refused):
    """Only a finished service can be rated."""

    zh = "{ticket}号还没有办结，办结后才能评价"
    en = "Ticket {ticket} has not been served yet; it can be rated afterwards"


class NobodyToInvite(Refused):
    """The window has served nobody since it was opened."""

    zh = "{window}号窗口还没有办结的号，无法邀评"
    en = "Window {window} has served nobody yet, so there is nobody to invite"


class ServedElsewhere(Refused):
    """The ticket was served at another window."""

    zh = "{ticket}号是{window}号窗口办理的"
    en = "Ticket {ticket} was served at window {window}"


class AlreadyEvaluated(Refused):
    """One service, one rating (一次一评, GB/T 39734-2020)."""

    zh = "{ticket}号已经评价过，谢谢"
    en = "Ticket {ticket} has been rated already"


class CommandIdReused(Refused):
    """The id belongs to another command that was already carried out."""

    zh = "这个操作编号已用于另一项操作"
    en = "This command id was already used for a different command"
    field = "command_id"


class HallOverloaded(Refused):
    """Too many commands are waiting to be recorded."""

    zh = "系统繁忙，请稍后再试"
    en = "The hall is overloaded; try again in a moment"
    status = 503


class LogUnavailable(Refused):
    """The log could not be written; nothing was done."""

    zh = "暂时无法记录，操作没有生效，请通知管理员"
    en = "The log cannot be written; nothing was done. Tell the operator"
    status = 503


class UnknownCommand(Refused):
    """No such command for a window."""

    zh = "没有“{command}”这个操作"
    en = "There is no command {command!r}"
    status = 404
    field = "command"


class BadInput(Refused):
    """The input does not have the shape that was asked for."""

    zh = "“{name}”填写有误：{why_zh}"
    en = "Field {name!r} is not right: {why}"
    status = 422

    def __init__(self, *, name: str, why: str, why_zh: str = "") -> None:
        super().__init__(name=name, why=why, why_zh=why_zh or why)
        self.field = name


class TooLarge(Refused):
    """The message is larger than any right one could be."""

    zh = "内容过大，最多{limit}字节"
    en = "The message is too large; {limit} bytes at most"
    status = 413


class NotAllowed(Refused):
    """The connection may not do this."""

    zh = "没有权限：{why_zh}"
    en = "Not allowed: {why}"
    status = 403
