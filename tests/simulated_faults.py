"""What goes wrong in a simulated hall, and how often.

Each seed draws its own mixture: some kinds not at all, the others rarely or often, so
that a kind of fault also meets a hall that is well otherwise.
"""

from collections.abc import Collection
from random import Random

import msgspec


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Probabilities and rates; the default is a hall in which all is well.

    lost, doubled: of each message between a client and the hall.
    delay_s: mean time that a message takes.
    cut, stalled: of each fact on its way to a follower.
    commit_*: of each commit: slow, hanging, failing with nothing stored, failing
        although stored, or killing the process just before or just after.
    read_fails: of each reading of the log.
    crashes, stops: of the process, for 1,000 of its steps; a stop is an orderly one.
    full, clock_steps: times a day.
    """

    lost: float = 0.0
    doubled: float = 0.0
    delay_s: float = 0.004
    cut: float = 0.0
    stalled: float = 0.0
    commit_slow: float = 0.0
    commit_hangs: float = 0.0
    commit_fails: float = 0.0
    commit_unknown: float = 0.0
    commit_kills: float = 0.0
    read_fails: float = 0.0
    crashes: float = 0.0
    stops: float = 0.0
    full: float = 0.0
    clock_steps: float = 0.0

    def without(self, kinds: Collection[str]) -> "Faults":
        """The same, and some kinds of fault do not happen."""
        return msgspec.structs.replace(
            self, **{kind: getattr(PEACE, kind) for kind in kinds}
        )


PEACE = Faults()

#: The most that a seed may draw of each kind.
WORST = Faults(
    lost=0.25,
    doubled=0.25,
    delay_s=2.0,
    cut=0.04,
    stalled=0.05,
    commit_slow=0.5,
    commit_hangs=0.05,
    commit_fails=0.1,
    commit_unknown=0.08,
    commit_kills=0.02,
    read_fails=0.3,
    crashes=3.0,
    stops=1.0,
    full=4.0,
    clock_steps=5.0,
)


def drawn(chance: Random, worst: Faults = WORST) -> Faults:
    """A mixture of faults; each kind is absent from about every other one."""
    rates: dict[str, float] = {}
    for name, most in msgspec.structs.asdict(worst).items():
        least = getattr(PEACE, name)
        if chance.random() < 0.5:
            rates[name] = least + (most - least) * chance.random() ** 2
    return Faults(**rates)
