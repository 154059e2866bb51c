"""Given a day, what the displays are told; a follower and a newcomer see the same."""

import msgspec
import pytest

from displays import frames
from displays.frames import Beat, Call, CallFrame, ChangeFrame, Frame, Line, Snapshot
from floor import facts
from floor.day import Day, advance
from floor.facts import Entry, Fact
from timeline import FloorDay


def told(floor: FloorDay) -> list[tuple[Day, Frame | None]]:
    """The frame of each fact of a day but the catalogue, with the day after all."""
    day = advance(None, floor.entries[0])
    return [
        (day, frames.frame(day := advance(day, entry), entry))
        for entry in floor.entries[1:]
    ]


def last(floor: FloorDay) -> Frame | None:
    return told(floor)[-1][1]


def happens(floor: FloorDay, fact: Fact) -> None:
    """Let a fact happen that no command causes yet."""
    position = floor.entries[-1].position + 1
    fact = msgspec.structs.replace(fact, position=position)
    entry = Entry(floor.day.stream, floor.day.version + 1, fact)
    floor.day = advance(floor.day, entry)
    floor.entries.append(entry)


def test_a_call_says_ticket_window_and_who_still_waits(floor: FloorDay) -> None:
    """
    09:00:00 opens 3
    09:00:01 takes zonghe
    09:00:02 takes zonghe
    09:01:00 calls 3
    """
    frame = last(floor)
    assert isinstance(frame, CallFrame)
    assert frame.position == floor.entries[-1].position
    assert (frame.call.ticket, frame.call.window) == ("A001", "3")
    assert (frame.call.window_name, frame.call.window_name_en) == (
        "综合窗口",
        "General",
    )
    assert (frame.call.times, frame.call.state, frame.call.over) == (1, "called", False)
    assert frame.call.at == floor.at("09:01:00")
    line = Line(item="zonghe", name="综合受理", name_en="General acceptance", waiting=1)
    assert frame.lines == (line,)
    assert (frame.strip.state, frame.strip.ticket) == ("called", "A001")


def test_a_recall_is_announced_again_with_its_count(floor: FloorDay) -> None:
    """
    09:00:00 opens 3
    09:00:01 takes zonghe
    09:01:00 calls 3
    09:01:30 recalls 3
    """
    frame = last(floor)
    assert isinstance(frame, CallFrame)
    assert (frame.call.times, frame.call.at) == (2, floor.at("09:01:00"))


@pytest.mark.parametrize(
    ("end", "state", "over"),
    [
        ("09:02:00 starts 3", "serving", False),
        ("09:02:00 no-show 3", "called", True),
        ("09:02:00 starts 3\n09:03:00 finishes 3", "serving", True),
    ],
)
def test_what_becomes_of_a_call_is_shown_and_not_announced(
    floor: FloorDay, end: str, state: str, over: bool
) -> None:
    """
    09:00:00 opens 3
    09:00:01 takes zonghe
    09:01:00 calls 3
    """
    frame = last(floor.play(end))
    assert isinstance(frame, ChangeFrame)
    assert frame.call is not None
    assert (frame.call.state, frame.call.over) == (state, over)


def test_the_board_holds_the_last_six_calls_newest_first(floor: FloorDay) -> None:
    """
    09:00:00 opens 3
    """
    for n in range(8):
        floor.play(f"09:0{n}:00 takes zonghe\n09:0{n}:01 calls 3\n09:0{n}:02 no-show 3")
    shown = frames.snapshot(floor.day, floor.entries[-1].position)
    assert [call.ticket for call in shown.calls] == [
        "A008",
        "A007",
        "A006",
        "A005",
        "A004",
        "A003",
    ]


def test_a_rating_shows_nothing(floor: FloorDay) -> None:
    """
    09:00:00 opens 3
    09:00:01 takes zonghe
    09:01:00 calls 3
    09:02:00 starts 3
    09:09:00 finishes 3
    09:09:10 invites 3
    09:09:20 rates A001 satisfied
    """
    assert [frame for _, frame in told(floor)[-2:]] == [None, None]


def test_the_first_fact_of_a_day_clears_the_board(floor: FloorDay) -> None:
    """
    09:00:00 opens 3
    09:00:01 takes zonghe
    09:01:00 calls 3
    +1 08:59:00 takes huji
    """
    frame = last(floor)
    assert isinstance(frame, Snapshot)
    assert frame.date.isoformat() == "2026-11-24"
    assert frame.calls == ()
    assert {line.item for line in frame.lines if line.waiting} == {"huji"}
    assert {strip.state for strip in frame.windows} == {"closed"}


def test_closing_the_hall_is_a_snapshot_with_nothing_open(floor: FloorDay) -> None:
    """
    09:00:00 opens 3
    09:00:01 takes zonghe
    09:00:02 takes zonghe
    09:01:00 calls 3
    17:00:00 closes-hall
    """
    frame = last(floor)
    assert isinstance(frame, Snapshot)
    assert frame.closed
    assert [call.over for call in frame.calls] == [True]
    assert not any(line.waiting for line in frame.lines)


def test_a_ticket_that_waits_again_is_not_sent_to_a_window(floor: FloorDay) -> None:
    """
    09:00:00 opens 3
    09:00:01 takes zonghe
    09:01:00 calls 3
    09:02:00 no-show 3
    """
    at = floor.at("09:03:00")
    happens(floor, facts.TicketRequeued(at=at, ticket="A001", place=0))
    frame = last(floor)
    assert isinstance(frame, Snapshot)
    assert frame.calls == ()
    # Nor may its end, while it waits, break the board.
    floor.play("09:04:00 abandons A001\n17:00:00 closes-hall")
    assert isinstance(last(floor), Snapshot)


def test_a_new_catalogue_may_drop_what_is_under_way(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:00 opens 3
    09:00:01 takes xuke
    09:00:02 takes minsheng
    09:00:10 calls 1
    """
    smaller = msgspec.structs.replace(
        floor.catalogue,
        items=tuple(item for item in floor.catalogue.items if item.id != "xuke"),
        windows=tuple(w for w in floor.catalogue.windows if w.id != "1"),
    )
    published = facts.CataloguePublished(
        at=floor.at("09:00:30"),
        position=floor.entries[-1].position + 1,
        catalogue=smaller,
    )
    entry = Entry(f"{smaller.hall}/setup", 2, published)
    floor.day = advance(floor.day, entry)
    floor.entries.append(entry)
    shown = last(floor)
    assert isinstance(shown, Snapshot)
    assert "xuke" not in {line.item for line in shown.lines}
    assert [(c.ticket, c.window, c.window_name) for c in shown.calls] == [
        ("P001", "1", "")
    ]

    floor.play("09:01:00 calls 3")
    frame = last(floor)
    assert isinstance(frame, CallFrame)
    assert frame.call.ticket == "J001"
    assert frame.lines == ()


class Follower:
    """What a display shows that joined early and took in every frame since."""

    def __init__(self, shown: Snapshot) -> None:
        self.shown = shown

    def take(self, frame: Frame | None) -> None:
        match frame:
            case Snapshot():
                self.shown = frame
            case CallFrame():
                ticket = frame.call.ticket
                others = [c for c in self.shown.calls if c.ticket != ticket]
                calls = (frame.call, *others)[: frames.CALLS_MAX]
                self._change(frame, calls)
            case ChangeFrame():
                now = frame.call
                calls = tuple(
                    now if now and call.ticket == now.ticket else call
                    for call in self.shown.calls
                )
                self._change(frame, calls)
            case Beat() | None:
                pass

    def _change(self, frame: CallFrame | ChangeFrame, calls: tuple[Call, ...]) -> None:
        lines = {line.item: line for line in frame.lines}
        strip = frame.strip
        self.shown = msgspec.structs.replace(
            self.shown,
            position=frame.position,
            calls=calls,
            lines=tuple(lines.get(line.item, line) for line in self.shown.lines),
            windows=tuple(
                strip if strip and strip.window == known.window else known
                for known in self.shown.windows
            ),
        )


def test_a_follower_shows_what_a_newcomer_sees(floor: FloorDay) -> None:
    """
    09:00:00 opens 1
    09:00:01 opens 3
    09:00:02 takes zonghe
    09:00:03 takes zonghe
    09:00:04 takes minsheng
    09:00:05 takes xuke
    09:00:06 takes zonghe
    09:00:07 takes zonghe
    09:01:00 calls 1
    09:01:10 recalls 1
    09:01:20 calls 3
    09:02:00 starts 1
    09:02:10 no-show 3
    09:02:20 calls 3 A004 轮椅
    09:03:00 finishes 1
    09:03:10 invites 1
    09:03:20 rates A001 dissatisfied
    09:03:30 pauses 1 打印机
    09:04:00 resumes 1
    09:04:10 abandons A003
    09:04:20 calls 1
    09:04:30 starts 3
    09:05:00 finishes 3
    09:05:10 closes 3
    """
    at = floor.at("09:06:00")
    moved = facts.TicketTransferred(at=at, ticket="P001", window="1", item="xuke")
    happens(floor, moved)
    happens(floor, facts.TicketRequeued(at=at, ticket="A002", place=0))
    floor.play("09:07:00 calls 1\n17:00:00 closes-hall\n+1 09:00:00 takes zonghe")

    day = advance(None, floor.entries[0])
    follower = Follower(frames.snapshot(day, 1))
    for entry in floor.entries[1:]:
        day = advance(day, entry)
        follower.take(frames.frame(day, entry))
        newcomer = frames.snapshot(day, follower.shown.position)
        assert follower.shown == newcomer, f"after {entry.topic} {entry.position}"


def test_frames_come_back_from_the_wire_as_they_were(floor: FloorDay) -> None:
    """
    09:00:00 opens 3
    09:00:01 takes zonghe
    09:00:02 takes zonghe
    09:01:00 calls 3
    17:00:00 closes-hall
    """
    seen = [frame for _, frame in told(floor) if frame] + [Beat(position=7)]
    assert {type(frame) for frame in seen} == {Snapshot, ChangeFrame, CallFrame, Beat}
    assert [frames.decode(frames.encode(frame)) for frame in seen] == seen


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"frame":"other"}', '{"frame":"call"}']
)
def test_what_is_not_a_frame_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        frames.decode(text)
