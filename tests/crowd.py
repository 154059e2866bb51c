"""A hall in which everything happens: random people press keys, the rules decide.

`a_log(seed)` gives the facts of some days of the sample hall with all its options
switched on. The same seed gives the same log, byte for byte.
"""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from floor import commands, facts
from floor.catalogue import Catalogue, load
from floor.commands import Command
from floor.facts import Entry, Level
from floor.hall import Draft
from floor.log import Log
from floor.practice import (
    Booking,
    Calling,
    CallPolicy,
    Ground,
    PauseReason,
    Standing,
    Taking,
)
from floor.refusals import Refused
from timeline import SAMPLE

POLICIES = (
    CallPolicy(),
    CallPolicy(
        name="fixed_credit",
        appointment=Standing(credit_s=300),
        priority=Standing(credit_s=900),
        care=Standing(credit_s=1800),
    ),
    CallPolicy(
        name="accumulating",
        priority=Standing(rate=3, credit_s=60),
        care=Standing(rate=5),
    ),
    CallPolicy(
        name="strict",
        appointment=Standing(rank=1),
        priority=Standing(rank=2),
        care=Standing(rank=2),
    ),
)
GROUNDS = (
    Ground(id="army", name="军人", name_en="Soldier", kind="priority"),
    Ground(id="old", name="老人", name_en="Aged", kind="care"),
)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
CLERKS_OF = 3  # Clerks for each window, so that they change over the day.


class Memory:
    """In place of a log: what would have been written."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def recent(self, hall: str, days: int) -> list[Entry]:
        return list(self.entries)

    def append(self, entries: Sequence[Entry]) -> None:
        self.entries += entries


def busy_hall(chance: random.Random, policy: CallPolicy | None = None) -> Catalogue:
    """The sample hall with its options switched on; few windows, so that lines form."""
    sample = load(SAMPLE)
    kept = [w for w in sample.windows if w.id in ("1", "2", "3", "6", "7", "12")]
    offered = {id for window in kept for id in window.items}
    items = [item for item in sample.items if item.id in offered]
    items[0] = msgspec.structs.replace(items[0], then=(items[-1].id,), first=1001)
    items[1] = msgspec.structs.replace(items[1], booked_prefix="YY", digits=4)
    kept[0] = msgspec.structs.replace(
        kept[0], weights={kept[0].items[0]: 3}, helps={"yibao": 2}
    )
    kept[3] = msgspec.structs.replace(kept[3], helps={"zonghe": 1})
    return msgspec.structs.replace(
        sample,
        items=tuple(items),
        windows=tuple(kept),
        policy=policy or chance.choice(POLICIES),
        calling=Calling(
            opens_paused=chance.random() < 0.3,
            finish_implied=chance.random() < 0.7,
            recall_gap_s=chance.choice([0, 5]),
            recalls_max=chance.choice([1, 100]),
            no_show_recalls=chance.choice([0, 1]),
            no_show_after_s=chance.choice([0, 20]),
            return_place=chance.choice([-1, 0, 1, 3]),
            defer_place=chance.choice([-1, 1, 3]),
            undo_s=chance.choice([30, 300]),
            held_max=chance.choice([1, 3]),
        ),
        taking=Taking(person_required=False, open_per_item=2),
        booking=Booking(quota=5),
        grounds=GROUNDS,
        pauses=(PauseReason(name="培训", name_en="Training", approved=True),),
    )


class Crowd:
    """The people of a hall, and the draft of the hall that answers them."""

    def __init__(self, seed: int, policy: CallPolicy | None = None) -> None:
        self.chance = random.Random(seed)
        self.catalogue = busy_hall(self.chance, policy)
        self.memory = Memory()
        self.now = MONDAY + timedelta(hours=0, minutes=55)
        self.draft = Draft(cast(Log, self.memory), self.catalogue)
        self.draft.open(self.now)
        self.refused = 0

    def press(self, command: Command) -> facts.Fact | None:
        """The fact that answers, or nothing when the hall says no."""
        try:
            return self.draft.decide(command, self.now).entry.fact
        except Refused:
            self.refused += 1
            return None

    def day(self, presses: int, *, step_ms: int = 30_000, calm: bool = False) -> None:
        """One business day, with everything that people do in it.

        step_ms: at most so much passes between two presses.
        calm: no appointments, one catalogue, and lines that do not grow all day.
        """
        for window in self.catalogue.windows:
            if self.chance.random() < 0.9:
                self.press(commands.OpenWindow(window=window.id, clerk=f"c{window.id}"))
        self.note(facts.DeviceLost(at=self.now, device="led-3"))
        acts: list[tuple[Callable[[], object], float]] = [
            (self.take, 5), (self.work, 14), (self.window, 1), (self.book, 0.5),
            (self.come, 0.3), (self.leave, 0.7), (self.rate, 1), (self.desk, 0.1),
        ]  # fmt: skip
        if calm:
            acts = [(self.take, 3), (self.work, 14), (self.window, 0.1),
                    (self.leave, 0.1), (self.rate, 2)]  # fmt: skip
        for _ in range(presses):
            if self.chance.random() < 0.7:
                self.now += timedelta(milliseconds=self.chance.randrange(step_ms))
            (act,) = self.chance.choices(
                [act for act, _ in acts], [weight for _, weight in acts]
            )
            act()
        self.note(facts.DeviceRestored(at=self.now, device="led-3"))
        if self.chance.random() < 0.7:
            self.press(commands.CloseHall())
            self.rate()
            # Counted over the draft's own day, as the writer of the seal will.
            size = self.draft.day.version
            self.note(facts.DaySealed(at=self.now, size=size, root="0" * 64))

    def note(self, fact: facts.Fact) -> None:
        """A fact that no command causes yet."""
        at = self.draft.turn_day(self.now)
        day = self.draft._day_of(at).date
        self.draft._write(msgspec.structs.replace(fact, at=at), day)

    def next_day(self) -> None:
        """Eight in the morning, UTC 00:55, of the day after."""
        tomorrow = self.now.replace(hour=0, minute=55) + timedelta(days=1)
        self.now = tomorrow if tomorrow > self.now else tomorrow + timedelta(days=1)

    # ── What people do ──────────────────────────────────────────────────────

    def take(self) -> None:
        item = self.chance.choice(self.catalogue.items).id
        kind = self.chance.choice(["normal"] * 6 + ["priority", "care"])
        ground = self.chance.choice(["", "", "", "army", "old"])
        then = ("xuke",) if item != "xuke" and self.chance.random() < 0.1 else ()
        person = (
            f"{self.chance.randrange(40):032x}" if self.chance.random() < 0.3 else ""
        )
        self.press(
            commands.TakeTicket(
                item=item, kind=cast(Any, kind), ground=ground, then=then, person=person
            )
        )

    def work(self) -> None:
        """A clerk presses one of the keys that fit what the window does."""
        places = self.draft.day.places
        window = self.chance.choice(self.catalogue.windows).id
        place = places[window]
        at: dict[str, Any] = {"window": window}
        keys: list[Command]
        if place.state == "free":
            keys = [commands.CallNext(**at)] * 8
            keys += [
                commands.CallTicket(**at, ticket=t, reason="r") for t in self._some()
            ]
            keys += [commands.ReturnTicket(**at, ticket=t) for t in place.held] * 4
            keys += [commands.InviteEvaluation(**at)] * 2
        elif place.state == "called":
            keys = [commands.StartService(**at)] * 8
            keys += [commands.RecallTicket(**at)] * 3
            keys += [commands.DeclareNoShow(**at)] * 3
            keys += [commands.UndoCall(**at), self._transfer(window)]
        elif place.state == "serving":
            keys = [commands.FinishService(**at)] * 6
            keys += [commands.CallNext(**at)] * 3
            keys += [commands.HoldTicket(**at, reason="r")] * 2
            keys += [self._transfer(window)] * 2
            keys += [commands.FinishService(**at, item="shebao")]
        else:
            keys = [commands.ResumeWindow(**at)]
        self.press(self.chance.choice(keys))

    def _transfer(self, window: str) -> Command:
        other = self.chance.choice(self.catalogue.windows).id
        where = self.chance.choice(
            [{"item": "xuke"}, {"item": "zonghe"}, {"to_window": other},
             {"to_clerk": f"c{other}"}]
        )  # fmt: skip
        front = self.chance.random() < 0.4
        return commands.TransferTicket(window=window, front=front, **cast(Any, where))

    def _some(self, state: str = "waiting", most: int = 2) -> list[str]:
        day = self.draft.day
        some = [t.id for t in day.tickets.values() if t.state == state]
        return self.chance.sample(some, min(most, len(some)))

    def window(self) -> None:
        """Clerks come, go, pause, and move to another window."""
        window = self.chance.choice(self.catalogue.windows).id
        other = self.chance.choice(self.catalogue.windows).id
        clerk = f"c{window}" if self.chance.random() < 0.7 else f"d{window}"
        reason = self.chance.choice(["培训", "不明"])
        give_back = self.chance.random() < 0.5
        self.press(
            self.chance.choice(
                [
                    commands.OpenWindow(window=window, clerk=clerk),
                    commands.OpenWindow(window=window, clerk=clerk),
                    commands.PauseWindow(window=window, reason=reason),
                    commands.ResumeWindow(window=window),
                    commands.CloseWindow(window=window, give_back=give_back),
                    commands.MoveClerk(window=window, to=other),
                ]
            )
        )

    def book(self) -> None:
        days = self.chance.choice([0, 0, 1, 2])
        begin = self.now.replace(hour=1, minute=0, second=0, microsecond=0)
        slot_at = begin + timedelta(days=days, minutes=30 * self.chance.randrange(12))
        item = self.chance.choice(self.catalogue.items).id
        person = f"{self.chance.randrange(500):032x}"
        self.press(commands.BookAppointment(item=item, slot_at=slot_at, person=person))
        booked = [b.id for b in self.draft.day.bookings.by_id.values()]
        if booked and self.chance.random() < 0.2:
            chosen = self.chance.choice(booked)
            self.press(commands.CancelAppointment(booking=chosen))

    def come(self) -> None:
        expected = [b.id for b in self.draft.day.missing()]
        if expected:
            self.press(commands.CheckIn(booking=self.chance.choice(expected)))

    def leave(self) -> None:
        """Somebody gives up, is put off, or comes back after a no-show."""
        for ticket in self._some("waiting", 1):
            if self.chance.random() < 0.5:
                self.press(commands.AbandonTicket(ticket=ticket))
            else:
                self.press(commands.DeferTicket(ticket=ticket))
        for ticket in self._some("held", 1):
            if self.chance.random() < 0.1:
                self.press(commands.AbandonTicket(ticket=ticket))
        for ticket in self._some("no_show", 1):
            place = self.chance.choice([None, None, 0, 1, -1])
            self.press(commands.RequeueTicket(ticket=ticket, place=place))

    def rate(self) -> None:
        for ticket in self._some("served", 1):
            if self.chance.random() < 0.2:
                window = self.draft.day.tickets[ticket].window
                self.note(
                    facts.EvaluationLapsed(at=self.now, ticket=ticket, window=window)
                )
            else:
                level = self.chance.choice(list(Level))
                self.press(commands.Evaluate(ticket=ticket, level=level))

    def desk(self) -> None:
        """The rare things: another policy, a stop and a start, a clock put back."""
        rare = self.chance.randrange(4)
        if rare == 0:
            policy = self.chance.choice(POLICIES)
            news = msgspec.structs.replace(self.draft.day.catalogue, policy=policy)
            self.press(commands.PublishCatalogue(catalogue=news))
        elif rare == 1 and self.chance.random() < 0.2:
            self.press(commands.CloseHall())
            self.press(commands.ReopenHall(reason="r"))
        elif rare == 2:
            self.now -= timedelta(seconds=10)
        else:
            from_at = self.now - timedelta(seconds=5)
            self.press(
                commands.DeclareOutage(from_at=from_at, to_at=self.now, reason="r")
            )


def a_log(
    seed: int, *, days: int = 2, presses: int = 1_500, policy: CallPolicy | None = None
) -> list[Entry]:
    """The facts of some busy days, in order."""
    crowd = Crowd(seed, policy)
    for _ in range(days):
        crowd.day(presses)
        crowd.next_day()
    crowd.press(commands.TakeTicket(item="zonghe"))
    crowd.draft.commit()
    return crowd.memory.entries
