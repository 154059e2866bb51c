"""What a check counts: figures to compare, of which none is right or wrong.

In a hall of people a window is free for a while with somebody waiting, because keys are
pressed by hand; in the log of another system the order of its calls is its own. Those
are rates here and never violations.
"""

from typing import Self

import msgspec

# A free window whose next visitor has waited for so long was not simply between two
# presses of a key.
LATE_MS = 30_000


class Rates(msgspec.Struct, kw_only=True):
    """Sums over days, so that those of two parts of a log can be added.

    imported: tickets that came from another system's record (channel `import`).
    waited, waited_ms: visits that waited at all before their first call, of `called`,
        and for how long; those who left unserved are in `left_ms`.
    served_ms, held_ms: time in service, and on hold.
    little_ms: what Little's law misses; 0 or there are violations.
    by_hand, overtaking: calls chosen by hand, and those that passed somebody.
    unexplained: calls of a release that did not say why.
    free_ms, idle_ms: time of free windows, and of it while the ticket called in the
        end was waiting already; `late` counts calls with more than `LATE_MS` of it.
    left_waiting: windows that paused or closed with somebody waiting so long.
    slips, slipped, slip_max: visitors called before an earlier one, how many were
        slipped past, and the most for one.
    lindley, lindley_exact: calls to which Lindley's recursion applies, and those with
        no time lost.
    work: per kind of ticket: served, waited_ms, service_ms; see `conserved`.
    """

    days: int = 0
    facts: int = 0
    tickets: int = 0
    imported: int = 0
    called: int = 0
    waited: int = 0
    waited_ms: int = 0
    left: int = 0
    left_ms: int = 0
    served: int = 0
    served_ms: int = 0
    held_ms: int = 0
    little_ms: int = 0
    calls: int = 0
    by_hand: int = 0
    overtaking: int = 0
    unexplained: int = 0
    free_ms: int = 0
    idle_ms: int = 0
    late: int = 0
    left_waiting: int = 0
    slips: int = 0
    slipped: int = 0
    slip_max: int = 0
    lindley: int = 0
    lindley_exact: int = 0
    span_ms: int = 0
    work: dict[str, tuple[int, int, int]] = {}

    def add(self, other: Self) -> None:
        """Take in the sums of another part of the log."""
        for name in self.__struct_fields__:
            if name not in ("slip_max", "work"):
                setattr(self, name, getattr(self, name) + getattr(other, name))
        self.slip_max = max(self.slip_max, other.slip_max)
        for kind, sums in other.work.items():
            mine = self.work.get(kind, (0, 0, 0))
            self.work[kind] = (
                mine[0] + sums[0],
                mine[1] + sums[1],
                mine[2] + sums[2],
            )

    @property
    def conserved(self) -> float:
        """Load times mean wait, summed over the kinds, in seconds (I11).

        Policies that keep windows busy and services alike do not change it: compare
        it between two policies on the same visitors.
        """
        return sum(
            service_ms / self.span_ms * waited_ms / served / 1000
            for served, waited_ms, service_ms in self.work.values()
            if served and self.span_ms
        )

    def shares(self) -> dict[str, float]:
        """The usual ratios, each 0 where nothing was counted."""
        return {
            "waited": _share(self.waited, self.called),
            "mean_wait_s": _share(self.waited_ms, self.called * 1000),
            "waited_at_all": _share(self.waited + self.left, self.called + self.left),
            "mean_wait_at_all_s": _share(
                self.waited_ms + self.left_ms, (self.called + self.left) * 1000
            ),
            "left": _share(self.left, self.tickets),
            "overtaking": _share(self.overtaking, self.calls),
            "slipped": _share(self.slipped, self.called),
            "late": _share(self.late, self.calls),
            "idle": _share(self.idle_ms, self.free_ms),
            "lindley_exact": _share(self.lindley_exact, self.lindley),
            "conserved_s": round(self.conserved, 3),
        }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0
