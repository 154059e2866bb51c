"""From visits to observations (考核事实): rows of integers that rules are asked about.

An observation states what was, and how long or how often; whether that costs points
is the rulebook's business. Each measure is one small pure function of a hall day and
of the instant up to which it is known: what is still open ages to that instant,
because a deadline passes without a fact.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter

import msgspec

from floor.facts import Level
from scoring.hours import Hours, Stretch, epoch_ms, ms
from scoring.visits import HallDay, Moment, Round, Session, Span, Visit

SHARE = 1000  # Milli-shares of one observation.
LONG_WAIT_TIMES = 2  # 超长等候 is waiting beyond twice the promise (item B2).
LEVELS = tuple(Level)  # A rating's value is its place here, best first; never shown.
NEVER = 2**63  # Position of an end that has not come.


class Measure(StrEnum):
    """What can be observed in the log of a hall.

    `value` is milliseconds and `count` is 1 unless said otherwise.
    """

    OPENED = "OPENED"  # 开窗: a day on which the window was opened.
    LATE_OPEN = "LATE_OPEN"  # 迟开窗: open hours before the first opening; 0 in time.
    EARLY_CLOSE = "EARLY_CLOSE"  # 早关窗: open hours left after the last closing.
    WAIT = "WAIT"  # 等候: from taking to the first call; limit is the promise.
    LONG_WAIT = "LONG_WAIT"  # 超长等候: a wait beyond the limit, called or not.
    CALL = "CALL"  # 叫号: how long it stood without start or no-show.
    BLIND_CALL = "BLIND_CALL"  # 无故指定呼叫: chosen by hand with no reason; value 0.
    NO_SHOW = "NO_SHOW"  # 过号: time since the first call; count is the calls made.
    SERVICE = "SERVICE"  # 办理: service time; limit is the standard; count 1 if rated.
    IDLE_WITH_LINE = "IDLE_WITH_LINE"  # 空闲有人等: free while its own line waited.
    SERVED = "SERVED"  # 办结: a ticket served; value 0; count 1 if rated.
    NOT_INVITED = (
        "NOT_INVITED"  # 未邀评: served, not asked to rate, not rated; value 0.
    )
    RATING = "RATING"  # 评价: value is the place of the level in `LEVELS`.


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of the ledger.

    window: who it is charged to; empty when nobody was able to prevent it.
    limit: what the service item allows, for measures that have a limit; else 0.
    share: how much of it is this window's, in thousandths.
    at_ms: when it came about, milliseconds since 1970.
    evidence: positions of the facts it was concluded from, ascending.
    """

    measure: Measure
    window: str
    item: str
    ticket: str
    day: date
    at_ms: int
    value: int
    limit: int = 0
    count: int = 1
    share: int = SHARE
    evidence: tuple[int, ...]


def observe(day: HallDay, until: datetime) -> Iterator[Observation]:
    """Everything observed on one hall day.

    Args:
        day: its visits and window sessions.
        until: the instant up to which the day is known; open items age to it.
    """
    if day.over_at is not None:
        until = min(until, day.over_at)
    hours = Hours(day.catalogue.open_spans(day.date), day.outages)
    for measure in MEASURES:
        yield from measure(day, hours, until)


# ── Windows ─────────────────────────────────────────────────────────────────


def punctuality(day: HallDay, hours: Hours, until: datetime) -> Iterator[Observation]:
    """OPENED, LATE_OPEN, EARLY_CLOSE of each window that was opened that day."""
    by_window: dict[str, list[Session]] = {}
    for session in day.sessions:
        by_window.setdefault(session.window, []).append(session)
    for window, sessions in by_window.items():
        opened, closed = sessions[0].opened, sessions[-1].closed
        yield _of_window(Measure.OPENED, day, window, 0, opened, ())
        if not hours.open_spans:
            continue  # Whoever works on the hall's day off is neither late nor early.
        late = hours.open_ms(hours.open_spans[0][0], opened.at)
        yield _of_window(Measure.LATE_OPEN, day, window, late, opened, ())
        if closed is not None:
            early = hours.open_ms(closed.at, hours.open_spans[-1][1])
            yield _of_window(Measure.EARLY_CLOSE, day, window, early, closed, (opened,))


def idle_with_line(
    day: HallDay, hours: Hours, until: datetime
) -> Iterator[Observation]:
    """IDLE_WITH_LINE: a window was free and did not call, while its line waited."""
    stays: dict[str, list[Span]] = {}
    for visit in day.visits:
        stays.setdefault(visit.item, []).extend(visit.in_line)
    lines: dict[tuple[str, ...], list[Span]] = {}
    for session in day.sessions:
        items = tuple(sorted(session.items))
        if items not in lines:
            lines[items] = _union(
                stay for item in items for stay in stays.get(item, ())
            )
        for since, to in _common(session.free, lines[items]):
            began = max(since, key=attrgetter("position"))
            idle = hours.open_ms(began.at, to.at if to else until)
            if idle > 0:
                facts = (*since, to) if to else since
                yield _of_window(
                    Measure.IDLE_WITH_LINE, day, session.window, idle, began, facts
                )


def _common(
    free: Iterable[Span], line: list[Span]
) -> Iterator[tuple[tuple[Moment, Moment], Moment | None]]:
    """Where two series of spans overlap: both beginnings, and the earlier end."""
    ends = [_end(span) for span in line]
    for span in free:
        for waited in line[bisect_left(ends, span.since.position) :]:
            if waited.since.position >= _end(span):
                break
            to = span.to if _end(span) <= _end(waited) else waited.to
            yield (span.since, waited.since), to


def _union(stays: Iterable[Span]) -> list[Span]:
    """When somebody was in any of these lines, in order."""
    united: list[Span] = []
    for stay in sorted(stays, key=lambda span: span.since.position):
        if united and stay.since.position <= _end(united[-1]):
            if _end(united[-1]) < _end(stay):
                united[-1].to = stay.to
        else:
            united.append(Span(stay.since, stay.to))
    return united


def _end(span: Span) -> int:
    """Where a span ends in the order of the log, which is exact where clocks tie."""
    return span.to.position if span.to else NEVER


# ── Waiting ─────────────────────────────────────────────────────────────────


def wait(day: HallDay, hours: Hours, until: datetime) -> Iterator[Observation]:
    """WAIT: of called tickets, to the first call; a call after a no-show adds none."""
    for visit in day.visits:
        for call in visit.rounds[:1]:
            value = hours.open_ms(visit.waits_from, call.called.at)
            yield _of_call(
                Measure.WAIT,
                day,
                visit,
                call,
                value=value,
                limit=visit.wait_ms_max,
                facts=(visit.taken, call.called),
            )


def long_wait(day: HallDay, hours: Hours, until: datetime) -> Iterator[Observation]:
    """LONG_WAIT: shared by the windows able to serve the item beyond the limit.

    Tickets that still wait, gave up or were sent home at closing count as well. With
    no window able, it is charged to nobody.
    """
    able: dict[str, list[tuple[Session, list[Stretch]]]] = {}
    for session in day.sessions:
        for item in session.items:
            able.setdefault(item, []).append((session, list(_able(session, until))))
    for visit in day.visits:
        stay = visit.in_line[0]
        end = stay.to.at if stay.to else until
        value = hours.open_ms(visit.waits_from, end)
        limit = LONG_WAIT_TIMES * visit.wait_ms_max
        beyond = hours.when_open_ms(visit.waits_from, limit)
        if value <= limit or beyond is None:
            continue
        late = list(hours.open_within(beyond, end))
        answerable: dict[str, tuple[Moment, ...]] = {}
        for session, stretches in able.get(visit.item, ()):
            if _meet(stretches, late):
                answerable.setdefault(session.window, (session.opened,))
        names = sorted(answerable) or [""]
        for place, window in enumerate(names):
            facts = [visit.taken, *answerable.get(window, ())]
            yield Observation(
                measure=Measure.LONG_WAIT,
                window=window,
                item=visit.item,
                ticket=visit.ticket,
                day=day.date,
                at_ms=epoch_ms(beyond),
                value=value,
                limit=limit,
                # Rounded so that the shares of all windows make up the whole.
                share=SHARE * (place + 1) // len(names) - SHARE * place // len(names),
                evidence=_positions(*facts, *((stay.to,) if stay.to else ())),
            )


def _able(session: Session, until: datetime) -> Iterator[Stretch]:
    """When a session could serve: open and not on pause."""
    begins = session.opened.at
    for pause in session.paused:
        yield begins, pause.since.at
        begins = pause.to.at if pause.to else until
    yield begins, session.closed.at if session.closed else until


def _meet(stretches: list[Stretch], others: list[Stretch]) -> bool:
    return any(
        max(begins, other_begins) < min(ends, other_ends)
        for begins, ends in stretches
        for other_begins, other_ends in others
    )


# ── Calls ───────────────────────────────────────────────────────────────────


def calls(day: HallDay, hours: Hours, until: datetime) -> Iterator[Observation]:
    """CALL, BLIND_CALL and NO_SHOW, for each round of calls."""
    for visit in day.visits:
        for call in visit.rounds:
            ends = (call.answered,) if call.answered else ()
            over_at = call.answered.at if call.answered else until
            yield _of_call(
                Measure.CALL,
                day,
                visit,
                call,
                value=hours.wall_ms(call.called.at, over_at),
                facts=(call.called, *ends),
            )
            if call.policy == "by_hand" and not call.reason.strip():
                yield _of_call(
                    Measure.BLIND_CALL, day, visit, call, facts=(call.called,)
                )
            if call.no_show:
                yield _of_call(
                    Measure.NO_SHOW,
                    day,
                    visit,
                    call,
                    value=ms(call.called.at, over_at),
                    count=1 + len(call.recalls),
                    facts=(call.called, *call.recalls, *ends),
                )


# ── Service and evaluation ──────────────────────────────────────────────────


def services(day: HallDay, hours: Hours, until: datetime) -> Iterator[Observation]:
    """SERVICE, SERVED, NOT_INVITED and RATING, for each served ticket."""
    for visit in day.visits:
        if not visit.served or visit.ended is None:
            continue
        call, ended = visit.rounds[-1], visit.ended
        rated = 1 if visit.rated else 0
        # While the visitor fetches something nobody is served (挂起).
        holds = [
            moment for hold in visit.held for moment in (hold.since, hold.to) if moment
        ]
        held_ms = sum(ms(h.since.at, h.to.at) for h in visit.held if h.to)
        # No service time is known where the source did not record one.
        if visit.outcome != "unrecorded" and visit.started is not None:
            yield _of_call(
                Measure.SERVICE,
                day,
                visit,
                call,
                value=ms(visit.started.at, ended.at) - held_ms,
                limit=visit.service_ms_max,
                count=rated,
                facts=(visit.started, *holds, ended),
            )
        yield _of_call(Measure.SERVED, day, visit, call, count=rated, facts=(ended,))
        if visit.rated is None and visit.invited is None:
            yield _of_call(Measure.NOT_INVITED, day, visit, call, facts=(ended,))
        if visit.rated is not None and visit.level is not None:
            yield _of_call(
                Measure.RATING,
                day,
                visit,
                call,
                value=LEVELS.index(visit.level),
                facts=(visit.rated,),
            )


# ── Rows ────────────────────────────────────────────────────────────────────


def _of_window(
    measure: Measure,
    day: HallDay,
    window: str,
    value: int,
    at: Moment,
    facts: tuple[Moment, ...],
) -> Observation:
    return Observation(
        measure=measure,
        window=window,
        item="",
        ticket="",
        day=day.date,
        at_ms=epoch_ms(at.at),
        value=value,
        evidence=_positions(at, *facts),
    )


def _of_call(
    measure: Measure,
    day: HallDay,
    visit: Visit,
    call: Round,
    *,
    facts: tuple[Moment, ...],
    value: int = 0,
    limit: int = 0,
    count: int = 1,
) -> Observation:
    return Observation(
        measure=measure,
        window=call.window,
        item=visit.item,
        ticket=visit.ticket,
        day=day.date,
        at_ms=epoch_ms(facts[-1].at),
        value=value,
        limit=limit,
        count=count,
        evidence=_positions(*facts),
    )


def _positions(*facts: Moment) -> tuple[int, ...]:
    return tuple(sorted({fact.position for fact in facts}))


MEASURES: tuple[Callable[[HallDay, Hours, datetime], Iterator[Observation]], ...] = (
    punctuality,
    idle_with_line,
    wait,
    long_wait,
    calls,
    services,
)
