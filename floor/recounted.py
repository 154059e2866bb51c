"""Who was called before a ticket on a recorded day, told from the log (事后查询)."""

from datetime import date

from floor import log, refusals
from floor.log import Place
from floor.overtaken import recorded
from floor.refusals import Unusable
from floor.why import Lang, why


def recount(
    path: Place, hall: str, date: date | None, ticket: str, lang: Lang
) -> list[str]:
    """The answer of that day in lines, each call with its position as evidence.

    Args:
        path: the log; halls may be at work on it.
        hall: whose ticket; needed where the log is that of several.
        date: the business day; the last one for None.
        ticket: its number.
        lang: of the lines.

    Raises:
        Unusable: there is no such log, hall, day or ticket.
    """
    known = log.halls(path)
    if not hall and len(known) == 1:
        hall = known[0]
    if hall not in known:
        raise Unusable(
            f"请用 --hall 指明大厅：{'、'.join(known)}",
            f"Name the hall with --hall, one of: {', '.join(known)}",
        )
    entries = log.read(path, hall=hall) if date else log.read_last_day(path, hall)
    day, calls = recorded(entries, date)
    try:
        answer = why(day, calls, ticket, lang)
    except refusals.UnknownTicket:
        raise Unusable(
            f"{day.date} 没有{ticket}这个号",
            f"There was no ticket {ticket!r} on {day.date}",
        ) from None
    told = [f"{each.sentence}  #{each.position}" for each in answer.overtaken]
    return [f"{day.date} {ticket} {answer.summary}", *told]
