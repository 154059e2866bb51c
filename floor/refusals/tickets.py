"""Refusals about tickets and who is served."""

from floor.refusals.refused import Refused


class UnknownItem(Refused):
    """No such service item in the catalogue."""

    zh = "没有“{item}”这个事项"
    en = "There is no service item {item!r}"
    status = 422
    field = "item"


class UnknownTicket(Refused):
    """No such ticket today."""

    zh = "今天没有{ticket}这个号"
    en = "There is no ticket {ticket!r} today"
    status = 404
    field = "ticket"


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


class NobodyWaiting(Refused):
    """No ticket waits for any item of the window."""

    zh = "{window}号窗口没有人等候"
    en = "Nobody is waiting for window {window}"


class ItemPaused(Refused):
    """No tickets are taken for the item at present."""

    zh = "“{item}”暂停取号"
    en = "No tickets are given for {item} at present"


class UnknownGround(Refused):
    """No such ground for priority in the catalogue."""

    zh = "没有“{ground}”这个优先理由"
    en = "There is no ground {ground!r} for priority"
    status = 422
    field = "ground"


class OutsideHours(Refused):
    """Tickets are taken during the open hours alone."""

    zh = "现在不取号，取号时间为{open}至{close}（午休除外）"
    en = "Tickets are given from {open} to {close}, not during lunch"


class TooLateToday(Refused):
    """The hall closes soon and takes no more."""

    zh = "临近下班（{close}），今天不再取号"
    en = "The hall closes at {close} and gives no more tickets today"


class NumbersExhausted(Refused):
    """The numbers of the item are used up for today."""

    zh = "“{item}”今天的号已取完"
    en = "The numbers for {item} are used up for today"


class SlotFull(Refused):
    """The time slot has no place left."""

    zh = "“{item}”这个时段的号已满，请选择其他时段"
    en = "This time slot of {item} is full; choose another one"


class DayFull(Refused):
    """The item has no place left today."""

    zh = "“{item}”今天的号已满"
    en = "{item} is full for today"


class IdentityNeeded(Refused):
    """The hall gives tickets to known persons alone."""

    zh = "请先刷身份证（实名取号）"
    en = "Please show an identity document first"
    status = 422
    field = "identity"  # What the doors call it; `person` is for the log alone.


class TicketInHand(Refused):
    """The person holds an open ticket for the item."""

    zh = "您已有{ticket}号，不能重复取号"
    en = "You hold ticket {ticket} already"


class TooManyOpen(Refused):
    """The person holds as many open tickets as allowed."""

    zh = "您手中未办的号已达{most}个"
    en = "You hold {most} open tickets, which is the most"


class TooManyToday(Refused):
    """The person has taken as many tickets today as allowed."""

    zh = "您今天已取{most}个号，不能再取"
    en = "You have taken {most} tickets today, which is the most"


class RecalledTooSoon(Refused):
    """The last call is only just over."""

    zh = "请等{seconds}秒再重呼"
    en = "Wait {seconds} s before calling again"


class RecalledEnough(Refused):
    """The ticket was called again as often as allowed."""

    zh = "{ticket}号已重呼{times}次，请办理或过号"
    en = "Ticket {ticket} was called again {times} times; start or declare a no-show"


class TooFewCalls(Refused):
    """A no-show needs more calls first."""

    zh = "{ticket}号还须重呼{missing}次才能过号"
    en = "Call ticket {ticket} {missing} more times before a no-show"


class NoShowTooSoon(Refused):
    """A no-show needs more time after the first call."""

    zh = "请再等{seconds}秒才能过号"
    en = "Wait {seconds} s more before a no-show"


class UndoneTooLate(Refused):
    """A call can be taken back only shortly after it."""

    zh = "叫号超过{seconds}秒，不能撤销{ticket}号"
    en = "A call can be taken back within {seconds} s; ticket {ticket} is past that"


class NotMissed(Refused):
    """The ticket was not declared a no-show."""

    zh = "{ticket}号没有过号，不用恢复"
    en = "Ticket {ticket} is not a no-show"


class ReturnedEnough(Refused):
    """The visitor came back as often as allowed; a new number is needed."""

    zh = "{ticket}号已恢复{times}次，请重新取号"
    en = "Ticket {ticket} has come back {times} times; please take a new one"


class DeferredEnough(Refused):
    """The ticket was put off as often as allowed."""

    zh = "{ticket}号已延后{times}次，不能再延后"
    en = "Ticket {ticket} has been put off {times} times, which is the most"


class NotDueYet(Refused):
    """The visitor checked in early and lets everybody go first as it is."""

    zh = "{ticket}号的预约时间还没到，不用延后"
    en = "The appointment of ticket {ticket} is later; there is no need to put it off"


class TooManyHeld(Refused):
    """The window has as many tickets on hold as allowed."""

    zh = "{window}号窗口挂起的号已达{most}个"
    en = "Window {window} has {most} tickets on hold, which is the most"


class NotOnHold(Refused):
    """The window does not have this ticket on hold."""

    zh = "{window}号窗口没有挂起{ticket}号"
    en = "Window {window} does not have ticket {ticket} on hold"


class NothingOnHold(Refused):
    """The window has no ticket on hold."""

    zh = "{window}号窗口没有挂起的号"
    en = "Window {window} has no ticket on hold"


class SeveralOnHold(Refused):
    """The window has several tickets on hold, and none was named."""

    zh = "请指明回呼哪个号：{tickets}"
    en = "Say which ticket on hold to serve: {tickets}"
    status = 422
    field = "ticket"


class NowhereToGo(Refused):
    """A transfer needs one target: an item, a window or a clerk."""

    zh = "请指明{ticket}号转到哪个事项、窗口或人员"
    en = "Say to which item, window or clerk ticket {ticket} goes"
    status = 422
    field = "item"


class TransferToSelf(Refused):
    """A ticket cannot be transferred to where it is."""

    zh = "{window}号窗口不能转给自己"
    en = "Window {window} cannot transfer to itself"


class ItemStillWanted(Refused):
    """A new catalogue would take away an item that somebody waits for."""

    zh = "还有{ticket}号在办“{item}”，请先办结再从目录中去掉"
    en = "Ticket {ticket} is here for {item!r}; serve it before taking that item away"
    status = 422
    field = "catalogue"
