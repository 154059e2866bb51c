"""Catalogues that a seed draws: a plain hall, or one that uses what can be written.

Every value stands in one table, so that a new word of the catalogue is a line.
"""

from random import Random
from typing import Any

import msgspec

from floor.catalogue import BadCatalogue, Catalogue, Hours, Item, Window, check
from floor.practice import (
    KINDS,
    Booking,
    Calling,
    CallPolicy,
    Ground,
    PauseReason,
    Standing,
    Taking,
)

PLAIN = Catalogue(
    hall="hall-1",
    name="小厅",
    name_en="Small hall",
    items=(
        Item(id="a", name="甲", name_en="A", prefix="A"),
        Item(id="b", name="乙", name_en="B", prefix="B"),
        Item(id="c", name="丙", name_en="C", prefix="CC"),
    ),
    windows=(
        Window(id="1", name="一", name_en="1", department="x", items=("a", "b")),
        Window(id="2", name="二", name_en="2", department="x", items=("b", "a")),
        Window(id="3", name="三", name_en="3", department="y", items=("b", "c")),
        Window(id="4", name="四", name_en="4", department="y", items=("c",)),
    ),
)
GROUNDS = (
    Ground(id="soldier", name="军人", name_en="Soldier", kind="priority"),
    Ground(id="old", name="老人", name_en="Senior", kind="care"),
)
PAUSES = (
    PauseReason(name="茶", name_en="Tea", approved=True),
    PauseReason(name="会", name_en="Meeting"),
)
NEW = Item(id="d", name="丁", name_en="D", prefix="D")
#: So many halls write nothing down.
PLAIN_SHARE = 0.3

#: What a hall may write down, in place of what is not demanded.
CALLING: dict[str, tuple[object, ...]] = {
    "opens_paused": (True,),
    "finish_implied": (True,),
    "recall_gap_s": (20,),
    "recalls_max": (1, 2),
    "no_show_recalls": (1, 2),
    "no_show_after_s": (40,),
    "returns_max": (0, 1, 2),
    "return_place": (-1, 0, 1, 3),
    "defers_max": (0, 1, 2),
    "defer_place": (-1, 0, 1, 3),
    "undo_s": (0, 600),
    "held_max": (0, 1, 2),
}
TAKING: dict[str, tuple[object, ...]] = {
    "hours_only": (True,),
    "kinds_checked": (True,),
    "stop_before_close_s": (1_800,),
    "person_required": (True,),
    "open_per_item": (1, 2),
    "open_max": (1, 2),
    "day_max": (2, 3),
    "slot_s": (1_800, 5_400),
}
BOOKING: dict[str, tuple[object, ...]] = {
    "slot_s": (3_600,),
    "ahead_days": (0, 1, 7),
    "early_s": (0, 1_800),
    "grace_s": (0, 300),
    "late_credit_s": (0, 3_600),
    "cancel_before_s": (0, 600),
    "missed_max": (1, 0),
    "cancelled_max": (1, 2),
    "same_item_max": (1, 1, 2),
    "memory_days": (1, 31),
}
ITEM: dict[str, tuple[object, ...]] = {
    "first": (1, 101),
    "digits": (3, 4),
    "last": (108, 112),
    "slot_quota": (2, 4),
    "day_quota": (5, 8),
    "booking_quota": (0, 2),
    "wait_s": (600,),
}
POLICIES = ("first_come", "fixed_credit", "accumulating", "strict")
QUOTAS = (1, 1, 3)


def drawn_catalogue(chance: Random) -> Catalogue:
    """The catalogue of one seed."""
    if chance.random() < PLAIN_SHARE:
        return PLAIN
    catalogue = msgspec.structs.replace(
        PLAIN,
        hours=Hours(
            lunch=chance.choice(((), ("12:00", "13:30"))),
            day_starts=chance.choice(("00:00", "00:00", "00:30")),
        ),
        policy=policy(chance),
        calling=Calling(**_some(CALLING, chance)),
        taking=Taking(**_some(TAKING, chance, share=0.2)),
        booking=Booking(quota=chance.choice(QUOTAS), **_some(BOOKING, chance)),
        grounds=GROUNDS,
        pauses=PAUSES,
        items=_items(chance),
        windows=tuple(_window(window, chance) for window in PLAIN.windows),
    )
    check(catalogue)
    return catalogue


def policy(chance: Random) -> CallPolicy:
    """One of the four, with numbers of its own."""
    standings = {
        kind: Standing(
            rate=chance.choice((1, 2, 5)),
            credit_s=chance.choice((0, 300, 1_800)),
            rank=chance.choice((0, 0, 1, 2)),
        )
        for kind in KINDS
    }
    return CallPolicy(name=chance.choice(POLICIES), **standings)  # type: ignore[arg-type]


def edited(known: Catalogue, chance: Random) -> Catalogue:
    """What somebody who edits the file may make of it; not all of it can be used."""
    replace = msgspec.structs.replace
    items, windows = known.items, known.windows
    item, window = chance.choice(items), chance.choice(windows)
    match chance.randint(0, 13):
        case 0:
            return replace(known, policy=policy(chance))
        case 1:
            return replace(known, calling=Calling(**_some(CALLING, chance)))
        case 2:
            booking = Booking(quota=known.booking.quota, **_some(BOOKING, chance))
            return replace(known, booking=booking)
        case 3:
            return replace(known, taking=Taking(**_some(TAKING, chance, share=0.2)))
        case 4:
            paused = replace(item, paused=not item.paused)
            return replace(known, items=_with(items, item, paused))
        case 5:
            return with_item(known, window)
        case 6:
            return without_item(known, item.id)
        case 7:
            return replace(known, windows=_with(windows, window))
        case 8:
            more = replace(window, items=tuple(each.id for each in items), helps={})
            return replace(known, windows=_with(windows, window, more))
        case 9:
            return replace(known, hall="hall-2")
        case 10:
            return replace(known, time_zone="Asia/Urumqi")
        case 11 | 12:
            return without_item(known, "a")
        case _:
            slower = replace(item, wait_s=item.wait_s % 3_600 + 60)
            return replace(known, items=_with(items, item, slower))


def usable(catalogue: Catalogue) -> bool:
    """Whether a hall would begin with it."""
    try:
        check(catalogue)
    except BadCatalogue:
        return False
    return True


def without_item(known: Catalogue, id: str) -> Catalogue:
    """The item is not offered any more."""
    windows = [
        msgspec.structs.replace(
            window,
            items=tuple(item for item in window.items if item != id),
            helps={item: n for item, n in window.helps.items() if item != id},
            weights={item: n for item, n in window.weights.items() if item != id},
        )
        for window in known.windows
    ]
    items = [
        msgspec.structs.replace(item, then=tuple(i for i in item.then if i != id))
        for item in known.items
        if item.id != id
    ]
    kept = tuple(window for window in windows if window.items)
    return msgspec.structs.replace(known, items=tuple(items), windows=kept)


def with_item(known: Catalogue, window: Window) -> Catalogue:
    """One more item is offered at a window; the same again cannot be used."""
    more = msgspec.structs.replace(window, items=(*window.items, NEW.id))
    return msgspec.structs.replace(
        known,
        items=(*known.items, NEW),
        windows=_with(known.windows, window, more),
    )


def _items(chance: Random) -> tuple[Item, ...]:
    items = []
    for item, others in zip(PLAIN.items, ("bc", "ca", "ab"), strict=True):
        words = _some(ITEM, chance, share=0.15)
        if words.get("last"):
            words["first"] = 101
        if chance.random() < 0.3:
            words["then"] = tuple(others[: chance.randint(1, 2)])
        items.append(msgspec.structs.replace(item, **words))
    return tuple(items)


def _window(window: Window, chance: Random) -> Window:
    others = [item.id for item in PLAIN.items if item.id not in window.items]
    helps = {id: chance.randint(0, 3) for id in others if chance.random() < 0.2}
    weights = {id: chance.choice((1, 2, 5)) for id in "abc" if chance.random() < 0.2}
    return msgspec.structs.replace(window, helps=helps, weights=weights)


def _some(
    table: dict[str, tuple[object, ...]], chance: Random, share: float = 0.3
) -> dict[str, Any]:
    """Some words of a table, each with one of its values."""
    return {
        word: chance.choice(values)
        for word, values in table.items()
        if chance.random() < share
    }


def _with(parts: tuple[Any, ...], part: object, *instead: object) -> tuple[Any, ...]:
    """The same parts, with others in the place of one."""
    place = parts.index(part)
    return (*parts[:place], *instead, *parts[place + 1 :])
