"""A waiting line against a plain list that is sorted again for every question."""

from hypothesis import given, settings
from hypothesis import strategies as st

from floor.lines import Line, Stand, Urgency, Weighing, stand_at
from floor.practice import BACK, KINDS, CallPolicy, Standing

STANDINGS = st.builds(
    Standing,
    rate=st.integers(1, 4),
    credit_s=st.integers(0, 5),
    rank=st.integers(0, 2),
)
POLICIES = st.builds(
    CallPolicy,
    name=st.sampled_from(["first_come", "fixed_credit", "accumulating", "strict"]),
    normal=STANDINGS,
    appointment=STANDINGS,
    priority=STANDINGS,
    care=STANDINGS,
)
#: Few instants, so that many are due at the same one; some are not due yet.
DUE = st.integers(0, 12)
NOW = 8
#: What is done to a line: join it, be put before the n-th, or leave as the n-th.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["join", "join", "before", "leave"]),
        DUE,
        st.sampled_from(KINDS),
        st.integers(0, 20),
    ),
    max_size=30,
)
Listed = list[tuple[Stand, str]]


def carried_out(steps: list[tuple[str, int, str, int]]) -> tuple[Line, Listed]:
    """The line after these steps, and the same as a plain list in no order."""
    line = Line()
    listed: Listed = []
    for turn, (step, due, kind, nth) in enumerate(steps, 1):
        if step == "leave" and listed:
            stand, id = listed.pop(nth % len(listed))
            line.remove(id, stand)
        elif step != "leave":
            stand = Stand(due * 1000, turn, kind)  # type: ignore[arg-type]
            if step == "before" and listed:
                stand = listed[nth % len(listed)][0].before(turn)
            listed.append((stand, f"A{turn:03d}"))
            line.add(f"A{turn:03d}", stand)
    return line, listed


def naive(policy: CallPolicy, stand: Stand, at_ms: int, weight: int) -> object:
    """The order of a ticket, worked out from the words of the policy."""
    standing: Standing = getattr(policy, stand.kind)
    age = at_ms - stand.due_ms
    value = {
        "first_come": age,
        "fixed_credit": age + 1000 * standing.credit_s,
        "accumulating": standing.rate * age + 1000 * standing.credit_s,
        "strict": age,
    }[policy.name]
    rank = standing.rank if policy.name == "strict" else 0
    if value > 0:
        value *= weight
    return -rank, -value, stand.due_ms, stand.turn, stand.path


@given(POLICIES, STEPS, st.integers(0, 15), st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_a_line_answers_like_a_list_that_is_sorted_for_each_question(
    policy: CallPolicy, steps: list[tuple[str, int, str, int]], at: int, weight: int
) -> None:
    line, listed = carried_out(steps)
    weighing, at_ms = Weighing(policy), at * 1000

    def order(weight: int) -> list[str]:
        rows = sorted(listed, key=lambda row: naive(policy, row[0], at_ms, weight))  # type: ignore[arg-type, return-value]
        return [id for _, id in rows]

    told = list(line.in_order(weighing, at_ms, weight))
    assert [id for _, id in told] == order(weight)
    assert [urgency[-1] for urgency, _ in told] == [
        dict(swap(listed))[i] for _, i in told
    ]
    assert len(line) == len(listed)
    assert bool(line) == bool(listed)
    by_due = sorted(listed, key=lambda row: (row[0].due_ms, row[0].turn, row[0].path))
    assert list(line) == [id for _, id in by_due]
    unweighted = order(1)
    for place, (stand, id) in enumerate(by_due):
        assert line.before(stand) == place
        assert line.ahead_of(stand, weighing, at_ms) == unweighted.index(id)
    heads = {id for _, id in line.heads()}
    assert len(heads) == len({stand.kind for stand, _ in listed})
    assert not listed or order(weight)[0] in heads
    state = [row for rows in line.state().values() for row in rows]
    assert sorted(state) == sorted(listed)


def swap(listed: Listed) -> list[tuple[str, Stand]]:
    return [(id, stand) for stand, id in listed]


@given(st.lists(st.integers(0, 30), max_size=30))
def test_whoever_is_put_before_another_stands_directly_before_it(
    targets: list[int],
) -> None:
    """Each is put before one that is there: between it and all who are ahead."""
    expected = [Stand(0, 1, "normal"), Stand(0, 2, "normal"), Stand(5, 3, "normal")]
    for turn, target in enumerate(targets, 4):
        at = target % len(expected)
        expected.insert(at, expected[at].before(turn))
    assert sorted(expected) == expected
    assert len(set(expected)) == len(expected)


@given(POLICIES, STEPS, st.sampled_from(KINDS), st.integers(BACK, 12))
@settings(max_examples=300, deadline=None)
def test_as_many_stay_ahead_as_the_place_says_of_those_who_are_due(
    policy: CallPolicy,
    steps: list[tuple[str, int, str, int]],
    kind: str,
    place: int,
) -> None:
    line, listed = carried_out(steps)
    weighing, at_ms = Weighing(policy), NOW * 1000
    own = Stand(at_ms, 1_000, kind)  # type: ignore[arg-type]
    stand = stand_at(line, place, own, weighing, at_ms)
    assert stand not in {stand for stand, _ in listed}
    assert stand.due_ms <= at_ms, "Nobody is made to wait for a later slot."
    mine: Urgency = weighing.urgency(stand, at_ms)
    due = [other for other, _ in listed if other.due_ms <= at_ms]
    ahead = sum(weighing.urgency(other, at_ms) < mine for other in due)
    assert ahead == (len(due) if place == BACK else min(place, len(due)))
    line.add("X001", stand)
    line.remove("X001", stand)
    assert len(line) == len(listed)
