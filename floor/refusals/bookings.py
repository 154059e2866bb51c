"""Refusals about appointments."""

from floor.refusals.refused import Refused


class NoBooking(Refused):
    """No appointments are made for the item."""

    zh = "“{item}”不接受预约"
    en = "No appointments are made for {item}"


class NoSuchSlot(Refused):
    """The time is not one of the slots that can be booked now."""

    zh = "没有这个预约时段（可预约{days}天内的工作时段）"
    en = "There is no such time slot; slots of the next {days} days can be booked"
    status = 422
    field = "slot_at"


class BookedAlready(Refused):
    """The person has an appointment for the item."""

    zh = "您已预约“{item}”，请直接签到"
    en = "You have an appointment for {item}; please check in"


class BookedTooOften(Refused):
    """The person booked this item on this day too often."""

    zh = "同一天同一事项已预约{times}次，不能再约"
    en = "You have booked this item on this day {times} times, which is the most"


class BookingSuspended(Refused):
    """The person missed or cancelled too many appointments lately."""

    zh = "近{days}天内爽约或取消已达{times}次，暂停预约，请现场取号"
    en = "{times} appointments missed or cancelled in {days} days; take a ticket here"


class CancelledTooLate(Refused):
    """An appointment is given back in time or not at all."""

    zh = "须提前{minutes}分钟取消预约"
    en = "Appointments can be cancelled until {minutes} minutes before"


class UnknownBooking(Refused):
    """No such appointment."""

    zh = "没有“{booking}”这个预约"
    en = "There is no appointment {booking!r}"
    status = 404
    field = "booking"


class BookingOver(Refused):
    """The appointment was used, cancelled or missed."""

    zh = "预约“{booking}”已签到、取消或过期"
    en = "Appointment {booking!r} was used, cancelled or missed"


class NotToday(Refused):
    """The appointment is for another day."""

    zh = "您的预约日期是{date}，不是今天"
    en = "Your appointment is on {date}, not today"
