"""What the benchmarks share: percentiles and a printed line with its limit."""

import statistics
from collections.abc import Sequence


def spread(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile, in milliseconds."""
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return statistics.median(ordered) * 1000, p99 * 1000


def show(what: str, ours: str, limit: str, ratio: float, goal: float = 0) -> None:
    """One line: what was measured, ours, the physical limit, limit / ours, the goal."""
    aim = f" (goal {goal:.2f})" if goal else ""
    print(f"\n{what}: {ours} | limit {limit} | ratio {ratio:.2f}{aim}", flush=True)
