"""I13: a log replayed twice, or in two halves, comes to the same days.

The one part of the check that looks at `floor.day`, because it is what replays.
"""

from collections.abc import Sequence

from floor.checking.findings import Findings
from floor.day import Day, advance
from floor.facts import Entry


def check_replays(entries: Sequence[Entry]) -> Findings:
    """Whether the log of one hall replays alike; slow beside the check of its facts.

    Raises:
        ValueError: the log does not begin with a catalogue.
    """
    findings = Findings()
    half = len(entries) // 2
    once, _ = _digests(entries)
    again, day = _digests(entries[:half])
    again |= _digests(entries[half:], day)[0]
    for stream, digest in once.items():
        if again[stream] != digest:
            last = max(e.position for e in entries if e.stream == stream)
            findings.note("replay_differs", stream, (last,), day=stream)
    return findings


def _digests(
    entries: Sequence[Entry], day: Day | None = None
) -> tuple[dict[str, str], Day | None]:
    """SHA-256 of each day at its last fact, and the last day, to go on from."""
    digests: dict[str, str] = {}
    for entry in entries:
        before, day = day, advance(day, entry)
        if before is not None and before is not day and before.version:
            digests[before.stream] = before.digest()
    if day is not None and day.version:
        digests[day.stream] = day.digest()
    return digests, day
