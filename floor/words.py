"""The words that all facts are made of, and what each of them carries."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from floor.practice import Kind as Kind


class Level(StrEnum):
    """The five level words of 好差评.

    Words, never numbers: two opposite numberings are official (GB/T 39046-2020 A.8
    counts 1 as best, the national interface counts 5 as best), so numbers live only
    at the edges that need one of them.
    """

    VERY_SATISFIED = "very_satisfied"
    SATISFIED = "satisfied"
    BASICALLY_SATISFIED = "basically_satisfied"
    DISSATISFIED = "dissatisfied"
    VERY_DISSATISFIED = "very_dissatisfied"


LEVEL_ZH: dict[Level, str] = {
    Level.VERY_SATISFIED: "非常满意",
    Level.SATISFIED: "满意",
    Level.BASICALLY_SATISFIED: "基本满意",
    Level.DISSATISFIED: "不满意",
    Level.VERY_DISSATISFIED: "非常不满意",
}

#: Aware, so that a row without its offset is not read as some other hour.
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Outcome = Literal["done", "not_done", "unrecorded"]
#: Why a ticket was the next one for its window:
#: first    nobody whom the window may call has been waiting longer
#: booked   its appointment counts from its slot
#: kind     priority or care goes before, by the policy in force
#: placed   it was put there: back from a no-show, or transferred to the front
#: sent     it was sent to this window or to this clerk
#: weight   its item is more urgent at this window
#: by_hand  the clerk chose it
Because = Literal["", "first", "booked", "kind", "placed", "sent", "weight", "by_hand"]


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What all facts carry.

    position: ordinal of the fact in its hall's whole log, from 1 without gap; the
        number that evidence cites. The writer sets it.
    at: when it happened, aware UTC, whole milliseconds, never before the fact ahead
        of it.
    command: id of the command that caused it; empty for what the hall does itself.
    """

    at: Instant
    position: int = 0
    command: str = ""


class UnknownTopic(ValueError):
    """The log holds a fact that this release does not know."""
