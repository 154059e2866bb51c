"""The practice (办法) of a hall: how it takes, books and calls, as data.

Parts of the catalogue, each with defaults that ask for nothing: what a hall does not
write down is not demanded.
"""

from typing import Annotated, Literal

import msgspec

from floor.refusals import Unusable

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"^[\w.-]+\Z")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
Clock = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
Kind = Literal["normal", "appointment", "priority", "care"]
Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
Few = Annotated[int, msgspec.Meta(ge=0, le=1_000)]
WaitSeconds = Annotated[int, msgspec.Meta(ge=0, le=8 * 3600)]

KINDS: tuple[Kind, ...] = ("normal", "appointment", "priority", "care")
#: 队尾: in place of a number of tickets that stay ahead.
BACK = -1


class _Written(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False
):
    """A part of the catalogue, in which a misspelt word is an error."""


class Standing(_Written, frozen=True, kw_only=True):
    """What a kind of ticket is worth to the call policy.

    rate: how fast its urgency grows with its age; only under `accumulating`.
    credit_s: seconds of age that it is given at once; under `fixed_credit`, and as
        the offset under `accumulating`.
    rank: a higher rank goes before all of a lower one; only under `strict`.
    """

    rate: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    credit_s: WaitSeconds = 0
    rank: Annotated[int, msgspec.Meta(ge=0, le=9)] = 0


class CallPolicy(_Written, frozen=True, kw_only=True):
    """叫号策略: the next ticket is the one with the greatest urgency.

    Urgency is rate * age + credit, compared by rank first (facts/queueing.md 4.2;
    accumulating priority: Stanford, Taylor, Ziedins 2014).
    """

    name: Literal["first_come", "fixed_credit", "accumulating", "strict"] = "first_come"
    normal: Standing = Standing()
    appointment: Standing = Standing()
    priority: Standing = Standing()
    care: Standing = Standing()


class Calling(_Written, frozen=True, kw_only=True):
    """What is demanded of clerks when they call.

    opens_paused: signing in lands on pause, so that nothing is called by accident.
    finish_implied: calling the next ticket finishes the one being served.
    recall_gap_s, recalls_max: cool-down between two calls, and how many recalls; 0 is
        no limit.
    no_show_recalls, no_show_after_s: recalls and seconds since the first call that
        a no-show needs.
    returns_max: how often a visitor may come back after a no-show.
    return_place, defer_place: tickets that stay ahead; 0 the front, -1 the back.
    undo_s: how long a wrong call can be taken back; 0 for never.
    held_max: tickets that a window may put on hold.
    """

    opens_paused: bool = False
    finish_implied: bool = False
    recall_gap_s: WaitSeconds = 0
    recalls_max: Few = 0
    no_show_recalls: Few = 0
    no_show_after_s: WaitSeconds = 0
    returns_max: Few = 2
    return_place: Annotated[int, msgspec.Meta(ge=BACK, le=1_000)] = 3
    defers_max: Few = 2
    defer_place: Annotated[int, msgspec.Meta(ge=BACK, le=1_000)] = 3
    undo_s: WaitSeconds = 30
    held_max: Few = 3


class Taking(_Written, frozen=True, kw_only=True):
    """Limits on taking tickets (限号); 0 is no limit, but for `open_per_item`.

    hours_only: none outside the open hours, lunch included (午休停号); staff may.
    stop_before_close_s: none so shortly before the hall closes.
    person_required: an identity has to be shown (实名取号).
    open_per_item: open tickets of one person for one item (一证一号).
    open_max, day_max: open tickets of one person, and tickets in a day.
    slot_s: length of the time slots that item quotas count in.
    """

    hours_only: bool = False
    stop_before_close_s: WaitSeconds = 0
    person_required: bool = False
    open_per_item: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    open_max: Few = 0
    day_max: Few = 0
    slot_s: Annotated[int, msgspec.Meta(ge=300, le=8 * 3600)] = 3600


class Booking(_Written, frozen=True, kw_only=True):
    """Appointments (预约).

    quota: bookings of an item that a slot of `slot_s` takes; 0 is no booking at all.
    ahead_days: how far ahead; today is 0.
    early_s: a visitor who checks in earlier counts in the line from so long before
        the slot, and not from the check-in.
    grace_s: whoever checks in later than this is late, and waits as a walk-in who
        came `late_credit_s` ago.
    cancel_before_s: until how long before the slot a booking can be cancelled.
    missed_max, cancelled_max, same_item_max: at so many missed or cancelled ones
        within `memory_days`, or for one item on one day, a person books no more
        (爽约限制; figures of 泉州, facts/domain.md 3). 0 is no limit.
    """

    quota: Few = 0
    slot_s: Annotated[int, msgspec.Meta(ge=300, le=8 * 3600)] = 1800
    ahead_days: Annotated[int, msgspec.Meta(ge=0, le=30)] = 7
    early_s: WaitSeconds = 900
    grace_s: WaitSeconds = 900
    late_credit_s: WaitSeconds = 600
    cancel_before_s: WaitSeconds = 7200
    missed_max: Few = 2
    cancelled_max: Few = 5
    same_item_max: Few = 3
    memory_days: Annotated[int, msgspec.Meta(ge=1, le=31)] = 31


class Ground(_Written, frozen=True, kw_only=True):
    """优先理由: why somebody is called earlier: 军人、老人、孕妇、残疾人等."""

    id: Id
    name: Name
    name_en: Name
    kind: Literal["priority", "care"]


class PauseReason(_Written, frozen=True, kw_only=True):
    """暂停事由: a reason a clerk may choose; approved ones cost no points."""

    name: Name
    name_en: Name
    approved: bool = False


def same_once(zh: str, en: str, ids: list[str], fault: type[Unusable]) -> None:
    """Each id stands once.

    Raises:
        fault: naming the first that stands twice.
    """
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            raise fault(f"{zh}“{id}”重复", f"The {en} {id!r} stands twice")
        seen.add(id)
