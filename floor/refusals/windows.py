"""Refusals about windows and the hall."""

from floor.refusals.refused import Refused


class HallIsClosed(Refused):
    """The business day was closed; nothing more is taken or called today."""

    zh = "今天已闭厅，不再取号和叫号"
    en = "The hall is closed for today"


class UnknownWindow(Refused):
    """No such window in the catalogue."""

    zh = "没有{window}号窗口"
    en = "There is no window {window!r}"
    status = 404
    field = "window"


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


class OwnSubstitute(Refused):
    """A clerk cannot stand in for the same clerk."""

    zh = "{clerk}不能顶替自己"
    en = "Clerk {clerk} cannot stand in for the same clerk"


class TicketsOnHold(Refused):
    """The window still has tickets on hold."""

    zh = "{window}号窗口还有挂起的{tickets}号，请先办结或退回"
    en = "Window {window} still has {tickets} on hold; finish them or give them back"


class WindowStillOpen(Refused):
    """A new catalogue would take away a window where somebody sits."""

    zh = "{window}号窗口正在开窗，请先关窗再从目录中去掉"
    en = "Window {window} is open; close it before it leaves the catalogue"
    status = 422
    field = "catalogue"


class OtherHall(Refused):
    """The catalogue is that of another hall."""

    zh = "这是“{hall}”的目录，不是本大厅的"
    en = "This is the catalogue of hall {hall!r}, not of this one"
    status = 422
    field = "catalogue"


class ClerkNotHere(Refused):
    """No such clerk is signed in."""

    zh = "{clerk}没有登录"
    en = "Clerk {clerk} is not signed in"
    field = "to_clerk"


class HallNotClosed(Refused):
    """The hall is open anyway."""

    zh = "大厅没有闭厅"
    en = "The hall is not closed"


class BadOutage(Refused):
    """An outage has a beginning and an end on this business day."""

    zh = "故障起止时间有误：应在本营业日，且结束晚于开始"
    en = "An outage begins on this business day and ends after that"
    status = 422
    field = "from_at"
