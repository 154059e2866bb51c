"""Who was called before a ticket on a recorded day, told from the log (事后查询)."""

from datetime import date
from pathlib import Path

from floor import log, refusals
from floor.overtaken import recorded
from floor.refusals import Unusable
from floor.why import Lang, why


def recount(path: Path, date: date | None, ticket: str, lang: Lang) -> list[str]:
    """The answer of that day in lines, each call with its position as evidence.

    Args:
        path: the log of one hall, which may be at work on it.
        date: the business day; the last one for None.
        ticket: its number.
        lang: of the lines.

    Raises:
        Unusable: there is no such log, day or ticket.
    """
    halls = log.halls(path)
    if len(halls) != 1:
        raise Unusable(
            f"{path.name} 里有 {len(halls)} 个大厅的记录，应为 1 个",
            f"{path.name} holds {len(halls)} halls and not one",
        )
    entries = log.read(path) if date else log.read_last_day(path, halls[0])
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
