"""Each refusal of a rule: the day that leads to it, and both its sentences."""

from typing import Any

import msgspec

from floor import refusals
from floor.catalogue import Catalogue, Hours
from floor.practice import Booking, Calling, Taking
from floor.refusals import Refused
from timeline import SMALL, items

BOOKING = {"booking": Booking(quota=1)}
CALLED = "09:00 opens 1\n09:00:01 takes a\n09:00:02 calls 1"
SERVING = f"{CALLED}\n09:00:03 starts 1"
SERVED = f"{SERVING}\n09:00:04 finishes 1"
HELD = f"{SERVING}\n09:00:04 holds 1"

#: The refusal, what the hall demands, the day, what is asked, and both sentences.
REFUSED: list[tuple[type[Refused], dict[str, Any], str, str, str, str]] = [
    (
        refusals.HallIsClosed, {}, "17:00 closes-hall", "takes a",
        "今天已闭厅，不再取号和叫号",
        "The hall is closed for today",
    ),
    (
        refusals.HallNotClosed, {}, "", "reopens-hall",
        "大厅没有闭厅",
        "The hall is not closed",
    ),
    (
        refusals.BadOutage, {}, "", "breaks 11:00 11:00 停电",
        "故障起止时间有误：应在本营业日，且结束晚于开始",
        "An outage begins on this business day and ends after that",
    ),
    (
        refusals.UnknownItem, {}, "", "takes feixing",
        "没有“feixing”这个事项",
        "There is no service item 'feixing'",
    ),
    (
        refusals.UnknownWindow, {}, "", "opens 99",
        "没有99号窗口",
        "There is no window '99'",
    ),
    (
        refusals.UnknownTicket, {}, "", "abandons A007",
        "今天没有A007这个号",
        "There is no ticket 'A007' today",
    ),
    (
        refusals.UnknownGround, {}, "", "takes a ground=haste",
        "没有“haste”这个优先理由",
        "There is no ground 'haste' for priority",
    ),
    (
        refusals.UnknownBooking, BOOKING, "", "checks-in 20261123-001",
        "没有“20261123-001”这个预约",
        "There is no appointment '20261123-001'",
    ),
    (
        refusals.WindowAlreadyOpen, {}, "09:00 opens 1 c1", "opens 1 c2",
        "1号窗口已由c1开窗",
        "Window 1 is already open under clerk c1",
    ),
    (
        refusals.ClerkElsewhere, {}, "09:00 opens 1 c1", "opens 2 c1",
        "c1已在1号窗口登录",
        "Clerk c1 is already signed in at window 1",
    ),
    (
        refusals.OwnSubstitute, {}, "", "opens 1 c1 substitutes=c1",
        "c1不能顶替自己",
        "Clerk c1 cannot stand in for the same clerk",
    ),
    (
        refusals.ClerkNotHere, {}, CALLED, "transfers 1 to_clerk=c9",
        "c9没有登录",
        "Clerk c9 is not signed in",
    ),
    (
        refusals.WindowNotOpen, {}, "", "calls 1",
        "1号窗口还没有开窗",
        "Window 1 is not open",
    ),
    (
        refusals.WindowOnPause, {}, "09:00 opens 1\n09:00:01 pauses 1", "calls 1",
        "1号窗口正在暂停，请先恢复",
        "Window 1 is on pause; resume first",
    ),
    (
        refusals.WindowNotPaused, {}, "09:00 opens 1", "resumes 1",
        "1号窗口没有暂停",
        "Window 1 is not on pause",
    ),
    (
        refusals.WindowBusy, {}, CALLED, "calls 1",
        "1号窗口还有A001号未办结",
        "Window 1 still has ticket A001",
    ),
    (
        refusals.TicketsOnHold, {}, HELD, "closes 1",
        "1号窗口还有挂起的A001号，请先办结或退回",
        "Window 1 still has A001 on hold; finish them or give them back",
    ),
    (
        refusals.NobodyWaiting, {}, "09:00 opens 1\n09:00:01 takes c", "calls 1",
        "1号窗口没有人等候",
        "Nobody is waiting for window 1",
    ),
    (
        refusals.NothingCalled, {}, "09:00 opens 1", "recalls 1",
        "1号窗口现在没有叫号",
        "Window 1 has no ticket in hand",
    ),
    (
        refusals.AlreadyStarted, {}, SERVING, "no-show 1",
        "A001号已在1号窗口办理",
        "Ticket A001 is already being served at window 1",
    ),
    (
        refusals.NotStarted, {}, CALLED, "finishes 1",
        "A001号还没有开始办理",
        "Service of ticket A001 has not started",
    ),
    (
        refusals.TicketNotHere, {}, CALLED, "starts 1 A002",
        "1号窗口现在办的是A001号，不是A002号",
        "Window 1 has ticket A001 in hand, not A002",
    ),
    (
        refusals.TicketNotWaiting, {}, "09:00:01 takes a\n09:00:02 abandons A001",
        "abandons A001",
        "A001号不在等候中",
        "Ticket A001 is not waiting",
    ),
    (
        refusals.ItemNotAtWindow, {}, "09:00 opens 1\n09:00:01 takes c", "calls 1 C001",
        "1号窗口不办理C001号的事项",
        "Window 1 does not handle the item of ticket C001",
    ),
    (
        refusals.NotServedYet, {}, "09:00:01 takes a", "rates A001 satisfied",
        "A001号还没有办结，办结后才能评价",
        "Ticket A001 has not been served yet; it can be rated afterwards",
    ),
    (
        refusals.NobodyToInvite, {}, "09:00 opens 1", "invites 1",
        "1号窗口还没有办结的号，无法邀评",
        "Window 1 has served nobody yet, so there is nobody to invite",
    ),
    (
        refusals.ServedElsewhere, {}, f"{SERVED}\n09:01 opens 2", "invites 2 A001",
        "A001号是1号窗口办理的",
        "Ticket A001 was served at window 1",
    ),
    (
        refusals.AlreadyEvaluated, {}, f"{SERVED}\n09:01 rates A001 satisfied",
        "rates A001 satisfied",
        "A001号已经评价过，谢谢",
        "Ticket A001 has been rated already",
    ),
    (
        refusals.ItemPaused, {"items": items(a={"paused": True})}, "", "takes a",
        "“甲”暂停取号",
        "No tickets are given for 甲 at present",
    ),
    (
        refusals.OutsideHours, {"taking": Taking(hours_only=True)}, "", "takes a",
        "现在不取号，取号时间为09:00至17:00（午休除外）",
        "Tickets are given from 09:00 to 17:00, not during lunch",
    ),
    (
        refusals.TooLateToday, {"taking": Taking(stop_before_close_s=60)}, "",
        "takes a",
        "临近下班（17:00），今天不再取号",
        "The hall closes at 17:00 and gives no more tickets today",
    ),
    (
        refusals.NumbersExhausted, {"items": items(a={"last": 1})}, "09:00 takes a",
        "takes a",
        "“甲”今天的号已取完",
        "The numbers for 甲 are used up for today",
    ),
    (
        refusals.SlotFull, {"items": items(a={"slot_quota": 1})}, "17:29 takes a",
        "takes a",
        "“甲”这个时段的号已满，请选择其他时段",
        "This time slot of 甲 is full; choose another one",
    ),
    (
        refusals.DayFull, {"items": items(a={"day_quota": 1})}, "09:00 takes a",
        "takes a",
        "“甲”今天的号已满",
        "甲 is full for today",
    ),
    (
        refusals.IdentityNeeded, {"taking": Taking(person_required=True)}, "",
        "takes a",
        "请先刷身份证（实名取号）",
        "Please show an identity document first",
    ),
    (
        refusals.TicketInHand, {}, "09:00 takes a person=1", "takes a person=1",
        "您已有A001号，不能重复取号",
        "You hold ticket A001 already",
    ),
    (
        refusals.TooManyOpen, {"taking": Taking(open_max=1)},
        "09:00 takes a person=1", "takes b person=1",
        "您手中未办的号已达1个",
        "You hold 1 open tickets, which is the most",
    ),
    (
        refusals.TooManyToday, {"taking": Taking(day_max=1)},
        "09:00 takes a person=1\n09:01 abandons A001", "takes a person=1",
        "您今天已取1个号，不能再取",
        "You have taken 1 tickets today, which is the most",
    ),
    (
        refusals.RecalledTooSoon, {"calling": Calling(recall_gap_s=10)},
        "09:00 opens 1\n09:00:01 takes a\n17:29:55 calls 1", "recalls 1",
        "请等5秒再重呼",
        "Wait 5 s before calling again",
    ),
    (
        refusals.RecalledEnough, {"calling": Calling(recalls_max=1)},
        f"{CALLED}\n09:01 recalls 1", "recalls 1",
        "A001号已重呼1次，请办理或过号",
        "Ticket A001 was called again 1 times; start or declare a no-show",
    ),
    (
        refusals.TooFewCalls, {"calling": Calling(no_show_recalls=2)}, CALLED,
        "no-show 1",
        "A001号还须重呼2次才能过号",
        "Call ticket A001 2 more times before a no-show",
    ),
    (
        refusals.NoShowTooSoon, {"calling": Calling(no_show_after_s=60)},
        "09:00 opens 1\n09:00:01 takes a\n17:29:55 calls 1", "no-show 1",
        "请再等55秒才能过号",
        "Wait 55 s more before a no-show",
    ),
    (
        refusals.UndoneTooLate, {}, CALLED, "undoes 1",
        "叫号超过30秒，不能撤销A001号",
        "A call can be taken back within 30 s; ticket A001 is past that",
    ),
    (
        refusals.NotMissed, {}, "09:00 takes a", "requeues A001",
        "A001号没有过号，不用恢复",
        "Ticket A001 is not a no-show",
    ),
    (
        refusals.ReturnedEnough, {"calling": Calling(returns_max=0)},
        f"{CALLED}\n09:01 no-show 1", "requeues A001",
        "A001号已恢复0次，请重新取号",
        "Ticket A001 has come back 0 times; please take a new one",
    ),
    (
        refusals.DeferredEnough, {"calling": Calling(defers_max=0)},
        "09:00 takes a", "defers A001",
        "A001号已延后0次，不能再延后",
        "Ticket A001 has been put off 0 times, which is the most",
    ),
    (
        refusals.NotDueYet, {"hours": Hours(close="20:00"), **BOOKING},
        "09:00 books a 18:00\n09:00 checks-in 20261123-001", "defers AP001",
        "AP001号的预约时间还没到，不用延后",
        "The appointment of ticket AP001 is later; there is no need to put it off",
    ),
    (
        refusals.TooManyHeld, {"calling": Calling(held_max=0)}, SERVING, "holds 1",
        "1号窗口挂起的号已达0个",
        "Window 1 has 0 tickets on hold, which is the most",
    ),
    (
        refusals.NothingOnHold, {}, "09:00 opens 1", "returns 1",
        "1号窗口没有挂起的号",
        "Window 1 has no ticket on hold",
    ),
    (
        refusals.NotOnHold, {}, HELD, "returns 1 A002",
        "1号窗口没有挂起A002号",
        "Window 1 does not have ticket A002 on hold",
    ),
    (
        refusals.SeveralOnHold, {},
        f"{HELD}\n09:01 takes a\n09:02 calls 1\n09:03 starts 1\n09:04 holds 1",
        "returns 1",
        "请指明回呼哪个号：A001、A002",
        "Say which ticket on hold to serve: A001、A002",
    ),
    (
        refusals.NowhereToGo, {}, CALLED, "transfers 1",
        "请指明A001号转到哪个事项、窗口或人员",
        "Say to which item, window or clerk ticket A001 goes",
    ),
    (
        refusals.TransferToSelf, {}, CALLED, "transfers 1 to_window=1",
        "1号窗口不能转给自己",
        "Window 1 cannot transfer to itself",
    ),
    (
        refusals.NoBooking, {}, "", "books a +1/09:00",
        "“甲”不接受预约",
        "No appointments are made for 甲",
    ),
    (
        refusals.NoSuchSlot, BOOKING, "", "books a +1/09:10",
        "没有这个预约时段（可预约7天内的工作时段）",
        "There is no such time slot; slots of the next 7 days can be booked",
    ),
    (
        refusals.BookedAlready, {"booking": Booking(quota=9)},
        "09:00 books a +1/09:00 person=1", "books a +1/09:30 person=1",
        "您已预约“甲”，请直接签到",
        "You have an appointment for 甲; please check in",
    ),
    (
        refusals.BookedTooOften, {"booking": Booking(quota=9, same_item_max=1)},
        "09:00 books a +1/09:00 person=1\n09:01 cancels 20261124-001",
        "books a +1/09:30 person=1",
        "同一天同一事项已预约1次，不能再约",
        "You have booked this item on this day 1 times, which is the most",
    ),
    (
        refusals.BookingSuspended, {"booking": Booking(quota=9, cancelled_max=1)},
        "09:00 books a +1/09:00 person=1\n09:01 cancels 20261124-001",
        "books b +1/09:30 person=1",
        "近31天内爽约或取消已达1次，暂停预约，请现场取号",
        "1 appointments missed or cancelled in 31 days; take a ticket here",
    ),
    (
        refusals.CancelledTooLate,
        {"booking": Booking(quota=1, cancel_before_s=3600 * 7 + 1801),
         "hours": Hours(open="00:00")},
        "09:00 books a +1/00:30", "cancels 20261124-001",
        "须提前451分钟取消预约",
        "Appointments can be cancelled until 451 minutes before",
    ),
    (
        refusals.BookingOver, BOOKING,
        "09:00 books a +1/09:00\n09:01 cancels 20261124-001",
        "cancels 20261124-001",
        "预约“20261124-001”已签到、取消或过期",
        "Appointment '20261124-001' was used, cancelled or missed",
    ),
    (
        refusals.NotToday, BOOKING, "09:00 books a +1/09:00",
        "checks-in 20261124-001",
        "您的预约日期是2026-11-24，不是今天",
        "Your appointment is on 2026-11-24, not today",
    ),
]  # fmt: skip

OTHER = msgspec.structs.replace(SMALL, hall="hall-2")
NOTHING = msgspec.structs.replace(SMALL, items=())
ONLY_B = msgspec.structs.replace(
    SMALL,
    items=SMALL.items[1:2],
    windows=tuple(
        msgspec.structs.replace(window, items=("b",)) for window in SMALL.windows[:2]
    ),
)

#: The same for a new catalogue, which no line of a timeline could write.
PUBLISHED: list[tuple[type[Refused], str, Catalogue, str, str]] = [
    (
        refusals.OtherHall, "", OTHER,
        "这是“hall-2”的目录，不是本大厅的",
        "This is the catalogue of hall 'hall-2', not of this one",
    ),
    (
        refusals.BadInput, "", NOTHING,
        "“catalogue”填写有误：事项应为 1 到 2000 个",
        "Field 'catalogue' is not right: There must be 1 to 2000 items",
    ),
    (
        refusals.WindowStillOpen, "09:00 opens 3", ONLY_B,
        "3号窗口正在开窗，请先关窗再从目录中去掉",
        "Window 3 is open; close it before it leaves the catalogue",
    ),
    (
        refusals.ItemStillWanted, "09:00 takes a", ONLY_B,
        "还有A001号在办“a”，请先办结再从目录中去掉",
        "Ticket A001 is here for 'a'; serve it before taking that item away",
    ),
]  # fmt: skip
