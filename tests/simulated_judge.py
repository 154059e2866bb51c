"""The judgement on a simulated hall, each night: all that was promised.

Attempts, facts, screens and memories are compared once nothing is under way.
"""

import math
from collections.abc import Sequence

from floor.day import Day, advance
from floor.facts import Entry
from floor.follow import of_last_day
from floor.hall import DAYS_KNOWN
from simulated_audit import AnswerAudit, Decide, GroupAudit, LogAudit, RefusalAudit
from simulated_network import ATTEMPTS_MAX, RETRY_S_MAX, Network, Screen
from simulated_process import Attempt, Process
from simulated_stage import Stage, Wrong

RESTART_S_MAX = 90.0
# In peace: the process starts, a commit that hung comes to its end, one more retry.
ANSWER_S_MAX = RESTART_S_MAX + 2 * RETRY_S_MAX + 120.0


class Judge:
    """Whoever looks at a hall from outside.

    Args:
        screens: they should show what the log says.
        decide: the rules, to ask whether a refusal was ever true.
    """

    def __init__(
        self,
        stage: Stage,
        network: Network,
        screens: Sequence[Screen],
        decide: Decide,
    ) -> None:
        self._stage = stage
        self._network = network
        self._screens = screens
        self._log_audit = LogAudit()
        self._group_audit = GroupAudit(stage)
        self._answer_audit = AnswerAudit()
        self._refusal_audit = RefusalAudit(decide)

    def judge(
        self, process: Process, attempts: Sequence[Attempt], peace_s: float
    ) -> None:
        """Look at everything since the last judgement.

        Raises:
            Wrong: the first promise that was not kept.
        """
        self._all_answered(peace_s)
        entries = self._stage.disk.entries(self._log_audit.position)
        for entry in entries:
            self._stage.counts[entry.topic] += 1
            self._log_audit.hear(entry)
        self._group_audit.hear(entries)
        self._answer_audit.hear(entries, attempts)
        self._refusal_audit.hear(entries, attempts)
        replayed = self._refusal_audit.day
        assert replayed is not None
        self._all_the_same(process, replayed)

    def _all_answered(self, peace_s: float) -> None:
        """Whoever asked patiently has heard, soon after the last fault."""
        for exchange in self._network.take_exchanges():
            asked_s = max(exchange.asked_s, peace_s)
            late = (exchange.answered_s or math.inf) - asked_s > ANSWER_S_MAX
            if late and exchange.patience == ATTEMPTS_MAX:
                raise Wrong(f"{exchange.command} was not answered in time")

    def _all_the_same(self, process: Process, replayed: Day) -> None:
        """Every memory of the day is what a replay of the whole log gives."""
        disk = self._stage.disk
        digests = {replayed.date: replayed.digest()}

        def same(whose: str, day: Day | None) -> None:
            assert day is not None
            if day.date not in digests:  # A new day that nothing has happened on.
                new = Day(replayed.catalogue, day.date, replayed.bookings)
                digests[day.date] = new.digest()
            if day.digest() != digests[day.date]:
                raise Wrong(f"{whose} is not what a replay gives")

        for screen in self._screens:
            if screen.position != disk.position:
                raise Wrong(f"{screen.name} is left behind at {screen.position}")
            same(screen.name, screen.day)
        draft, feed = process.draft, process.feed
        if not process.serving or draft is None or feed is None:
            raise Wrong("the hall does not serve")
        if draft.pending:
            raise Wrong(f"{len(draft.pending)} facts are pending for ever")
        same("the feed", feed.day)
        same("the draft", draft.day)
        known = disk.known(replayed.catalogue.hall, DAYS_KNOWN)
        same("a writer that starts", _day_after(known))
        same("a feed that starts", _day_after(of_last_day(known)))


def _day_after(entries: Sequence[Entry]) -> Day | None:
    day: Day | None = None
    for entry in entries:
        day = advance(day, entry)
    return day
