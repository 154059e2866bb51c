"""From observations to marks (得分): one function for each kind of rule.

Points are counted in thousandths and rounded half up once for each item, so that the
column of points adds up to the total. An item never falls below zero; what does not
apply is neither zero nor full.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

import msgspec

from floor.facts import LEVEL_ZH
from scoring.observations import LEVELS, SHARE, Measure, Observation
from scoring.rulebook import (
    Charge,
    ChargesItem,
    IndexItem,
    Item,
    PendingItem,
    RatioItem,
    UnmeasuredItem,
)

MILLI = 1000


class Cause(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of the evidence: what happened, when, to which ticket.

    lasted_ms: how long it took, None for what has no duration.
    """

    title: str
    title_en: str
    window: str
    ticket: str
    at_ms: int
    lasted_ms: int | None
    evidence: tuple[int, ...]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a window got for an item (得分), and why.

    evidence: positions of the facts that the mark rests on, ascending.
    pending: positions of facts that may still cost points once verified.
    causes: the evidence told line by line, in the order it happened.
    """

    points: int
    points_max: int
    reason: str
    reason_en: str
    evidence: tuple[int, ...] = ()
    pending: tuple[int, ...] = ()
    causes: tuple[Cause, ...] = ()


class NotApplicable(msgspec.Struct, frozen=True, kw_only=True):
    """There was nothing to judge (不适用): in neither sum."""

    points_max: int
    reason: str
    reason_en: str


class NotMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """No record says anything about it yet (未接入): in neither sum."""

    points_max: int
    reason: str
    reason_en: str


Result = Mark | NotApplicable | NotMeasured
Seen = Callable[[Measure], Sequence[Observation]]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The window that is judged.

    seen: its observations of a measure, in the order of the log.
    seen_in_department: those of all windows of its department, itself included.
    """

    window: str
    department: str
    seen: Seen
    seen_in_department: Seen


def judge(item: Item, subject: Subject) -> Result:
    """The mark of one window for one item."""
    match item:
        case ChargesItem():
            return by_charges(item, subject)
        case RatioItem():
            return by_ratio(item, subject)
        case IndexItem():
            return by_index(item, subject)
        case PendingItem():
            return by_verification(item, subject)
        case UnmeasuredItem():
            return NotMeasured(
                points_max=item.points, reason=item.needs, reason_en=item.needs_en
            )
        case _:
            assert_never(item)


# ── The kinds ───────────────────────────────────────────────────────────────


def by_charges(item: ChargesItem, subject: Subject) -> Mark | NotApplicable:
    """Points off for each occurrence; the first charge that fits is the only one."""
    if not subject.seen(item.basis):
        return _nothing(item)
    lost, zh, en, causes = _charged(item.charges, subject)
    return _mark(item, lost, zh, en, causes)


def by_ratio(item: RatioItem, subject: Subject) -> Mark | NotApplicable:
    """Points off for each started percentage point that a share is short."""
    counted = subject.seen(item.measure)
    n = len(counted)
    if not n:
        return _nothing(item)
    missed = [seen for seen in counted if not item.reached.fits(seen)]
    reached = n - len(missed)
    short = _steps_short(item.at_least_percent * n - 100 * reached, n)
    share = f"{_decimal(reached * 100 * MILLI // n // 100 * 100)}%"
    zh = f"{item.counted_title} {n} 件，达标 {reached} 件（{share}）"
    en = f"{reached} of {n} {item.counted_title_en} ({share})"
    lost = 0
    if n < item.n_min:
        zh += f"，不足 {item.n_min} 件，比率不扣分"
        en += f"; fewer than {item.n_min}, so the share costs nothing"
    elif short:
        lost = short * item.step_points * MILLI
        zh += f"，低于 {item.at_least_percent}%，扣 {short * item.step_points} 分"
        en += f"; below {item.at_least_percent}%: {short * item.step_points} points"
    charged, charged_zh, charged_en, causes = _charged(item.charges, subject)
    causes += [_cause(seen, item.missed_title, item.missed_title_en) for seen in missed]
    zh, en = "；".join([zh, *charged_zh]), "; ".join([en, *charged_en])
    return _mark(item, lost + charged, [zh], [en], causes)


def by_index(item: IndexItem, subject: Subject) -> Mark | NotApplicable:
    """Points off for each started point that the mean of ratings is short."""
    ratings = subject.seen(Measure.RATING)
    if not ratings:
        return _nothing(item)
    own = len(ratings)
    zh, en = f"评价 {own} 条", f"{own} ratings"
    if own < item.n_min:
        ratings = subject.seen_in_department(Measure.RATING)
        zh += (
            f"，不足 {item.n_min} 条，改按{subject.department}全部 {len(ratings)} 条计"
        )
        en += (
            f", fewer than {item.n_min}; "
            f"all {len(ratings)} of {subject.department} instead"
        )
    n = len(ratings)
    total = sum(item.levels.of(LEVELS[rating.value]) for rating in ratings)
    index = _decimal(total * MILLI // n // 100 * 100)
    short = _steps_short(item.at_least * n - total, n)
    zh, en = f"{zh}，指数 {index}", f"{en}; index {index}"
    lost = 0
    if n < item.n_min:
        zh += f"，仍不足 {item.n_min} 条，不扣分"
        en += f"; still fewer than {item.n_min}, so it costs nothing"
    elif short:
        lost = short * item.step_points * MILLI
        zh += f"，低于 {item.at_least}，扣 {short * item.step_points} 分"
        en += f"; below {item.at_least}: {short * item.step_points} points"
    lower = [rating for rating in ratings if rating.value > 0]
    causes = [_cause(rating, *_level_words(rating)) for rating in lower]
    return _mark(item, lost, [zh], [en], causes)


def by_verification(item: PendingItem, subject: Subject) -> Mark | NotApplicable:
    """Occurrences are listed as pending; none costs points before it is verified."""
    if not subject.seen(item.basis):
        return _nothing(item)
    found = [seen for charge in item.charges for seen in _fitting(charge, subject)]
    zh, en = "没有扣分情形", "Nothing to take off"
    if found:
        zh = f"{len(found)} 条待核实，暂不扣分（{item.needs}）"
        en = f"{len(found)} to be verified, not charged yet ({item.needs_en})"
    return Mark(
        points=item.points,
        points_max=item.points,
        reason=zh,
        reason_en=en,
        pending=_evidence(found),
        causes=_in_order(_cause(seen, *_level_words(seen)) for seen in found),
    )


# ── What the kinds share ────────────────────────────────────────────────────

Charged = tuple[int, list[str], list[str], list[Cause]]


def _charged(charges: Sequence[Charge], subject: Subject) -> Charged:
    """Milli-points taken off, a sentence for each charge, and the causes."""
    lost = 0
    zh: list[str] = []
    en: list[str] = []
    causes: list[Cause] = []
    taken: set[int] = set()
    for charge in charges:
        # One observation is charged once, under the first charge that fits it.
        found = [seen for seen in _fitting(charge, subject) if id(seen) not in taken]
        if not found:
            continue
        taken.update(id(seen) for seen in found)
        shares = sum(seen.share for seen in found)
        milli = charge.points * shares * MILLI // SHARE
        lost += milli
        part = _decimal(shares * MILLI // SHARE)
        shared = shares != SHARE * len(found)
        zh.append(
            f"{charge.title} {len(found)} 次"
            + (f"（分担 {part} 次）" if shared else "")
            + f"，扣 {_decimal(milli)} 分"
        )
        en.append(
            f"{charge.title_en} × {len(found)}"
            + (f" (share {part})" if shared else "")
            + f", {_decimal(milli)} points"
        )
        causes += [_cause(seen, charge.title, charge.title_en) for seen in found]
    return lost, zh, en, causes


def _fitting(charge: Charge, subject: Subject) -> list[Observation]:
    return [seen for seen in subject.seen(charge.measure) if charge.fits(seen)]


def _mark(
    item: ChargesItem | RatioItem | IndexItem,
    lost_milli: int,
    zh: Sequence[str],
    en: Sequence[str],
    causes: Iterable[Cause],
) -> Mark:
    """The mark after a deduction: rounded half up once, and never below zero."""
    lost = (lost_milli + MILLI // 2) // MILLI
    zh, en = list(zh) or ["没有扣分情形"], list(en) or ["Nothing to take off"]
    if lost > item.points:
        zh.append(f"扣完 {item.points} 分为止")
        en.append(f"no more than {item.points} points can be lost")
    elif lost * MILLI != lost_milli:
        zh.append(f"合计 {_decimal(lost_milli)} 分，按 {lost} 分计")
        en.append(f"{_decimal(lost_milli)} points in all, counted as {lost}")
    ordered = _in_order(causes)
    return Mark(
        points=max(0, item.points - lost),
        points_max=item.points,
        reason="；".join(zh),
        reason_en="; ".join(en),
        evidence=_evidence(ordered),
        causes=ordered,
    )


def _nothing(item: ChargesItem | RatioItem | IndexItem | PendingItem) -> NotApplicable:
    return NotApplicable(
        points_max=item.points, reason=item.nothing, reason_en=item.nothing_en
    )


def _steps_short(short_times_n: int, n: int) -> int:
    """Started steps below the threshold, from a shortfall that is n times too big."""
    return max(0, -(-short_times_n // n))


#: Measures whose value is not a duration.
WITHOUT_TIME = {
    Measure.BLIND_CALL,
    Measure.SERVED,
    Measure.NOT_INVITED,
    Measure.RATING,
    Measure.OPENED,
}


def _cause(seen: Observation, title: str, title_en: str) -> Cause:
    return Cause(
        title=title,
        title_en=title_en,
        window=seen.window,
        ticket=seen.ticket,
        at_ms=seen.at_ms,
        lasted_ms=None if seen.measure in WITHOUT_TIME else seen.value,
        evidence=seen.evidence,
    )


def _level_words(seen: Observation) -> tuple[str, str]:
    level = LEVELS[seen.value]
    return LEVEL_ZH[level], level.value.replace("_", " ")


def _evidence(rows: Iterable[Observation | Cause]) -> tuple[int, ...]:
    return tuple(sorted({position for row in rows for position in row.evidence}))


def _in_order(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    return tuple(sorted(causes, key=lambda cause: (cause.at_ms, cause.evidence)))


def _decimal(milli: int) -> str:
    """Thousandths as a decimal number without trailing zeros: `1334` as `1.334`."""
    whole, part = divmod(milli, MILLI)
    return f"{whole}.{part:03d}".rstrip("0").rstrip(".")
