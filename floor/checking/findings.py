"""What a check found: violations, of very many only the first, and rates."""

import msgspec

from floor.checking.rates import Rates
from floor.checking.violations import Violation, violation

# Enough to see what is wrong; a log that is wrong throughout must not fill memory.
KEPT_MAX = 100


class Findings(msgspec.Struct, kw_only=True):
    """What was found so far, in order of the log.

    wrong: how many violations there are in all.
    """

    rates: Rates = msgspec.field(default_factory=Rates)
    violations: list[Violation] = []
    wrong: int = 0

    def note(
        self, what: str, stream: str, positions: tuple[int, ...], **words: object
    ) -> None:
        """Note a violation, with the facts that show it; 0 stands for none."""
        self.wrong += 1
        if len(self.violations) < KEPT_MAX:
            shown = tuple(dict.fromkeys(p for p in positions if p))
            self.violations.append(violation(what, stream, shown, **words))

    def add(self, other: "Findings") -> None:
        """Take in what was found in a later part of the log."""
        self.rates.add(other.rates)
        self.violations += other.violations[: KEPT_MAX - len(self.violations)]
        self.wrong += other.wrong
