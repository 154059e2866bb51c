"""What a check found, as an operator reads it."""

import json
from collections.abc import Callable, Iterator

from floor.checking.findings import Findings
from floor.checking.violations import INVARIANTS, Violation
from floor.checking.whole import check
from floor.log import Place

CLEAN = "全部相符 clean"
LITTLE = "利特尔差 Little's law differs by"


def show(log: Place, say: Callable[[str], object]) -> int:
    """Check a log and say what was found; 1 when it breaks a promise, else 0.

    Raises:
        LogUnreadable: the file is missing, is not a log, or a row cannot be read.
    """
    findings = check(log)
    for said in lines(findings):
        say(said)
    return 1 if findings.wrong else 0


def lines(findings: Findings) -> Iterator[str]:
    """Each violation with its facts, then what was counted; Chinese first."""
    for violation in findings.violations:
        yield line(violation)
    more = findings.wrong - len(findings.violations)
    if more:
        yield f"…… 另有 {more:,} 处 and {more:,} more"
    rates = findings.rates
    wrong = f"{findings.wrong:,} 处不符 violations" if findings.wrong else CLEAN
    yield (
        f"{rates.facts:,} 条事实 facts, {rates.days:,} 天 days, "
        f"{rates.tickets:,} 张票 tickets: {wrong}"
    )
    if rates.imported:
        yield f"其中导入 imported: {rates.imported:,}"
    yield f"{LITTLE} {rates.little_ms:,} ms"
    yield json.dumps(rates.shares(), ensure_ascii=False)


def line(violation: Violation) -> str:
    """`I1 顺序与终态 hall-1/2026-11-23 #17 #12: …`."""
    promise = INVARIANTS[violation.invariant][0]
    shown = " ".join(f"#{position}" for position in violation.positions)
    said = f"{violation.zh} / {violation.en}"
    return f"{violation.invariant} {promise} {violation.stream} {shown}: {said}"
