"""What is announced, in which order, and what need not be said any more."""

import os
from array import array
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from displays import sound, voice
from displays.sound import WavFolder
from displays.speaker import Speaker
from loudspeaker import OPEN, TAKE, Loudspeaker, journal


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Loudspeaker]:
    """Three open windows, six waiting visitors, and announcements into a folder."""
    async with Speaker(tmp_path / "cache") as speaking:
        rig = Loudspeaker(speaking, WavFolder(tmp_path / "wav"))
        rig.play(OPEN + TAKE * 6, heard=False)
        rig.join()
        yield rig


async def test_each_call_is_said_once_in_order(
    hall: Loudspeaker, tmp_path: Path
) -> None:
    hall.play("09:01:00 calls 3\n09:01:01 calls 1\n09:01:02 calls 2")
    await hall.say_all()
    assert hall.became("started") == ["A001 3 ", "A002 1 ", "A003 2 "]
    assert hall.became() == ["A001 3 said", "A002 1 said", "A003 2 said"]
    assert [(a.event, a.ticket) for a in hall.told[:3]] == [
        ("started", "A001"),
        ("finished", "A001"),
        ("started", "A002"),
    ]
    assert sorted(os.listdir(tmp_path / "wav")) == [
        "000011-A001-3.wav",
        "000012-A002-1.wav",
        "000013-A003-2.wav",
        "announcements.jsonl",
    ]
    first = journal(tmp_path)[0]
    length_ms = first.pop("duration_ms")
    assert first == {
        "position": 11,
        "ticket": "A001",
        "window": "3",
        "sentence": "请A001号到3号窗口办理",
        "spoken": "请A零零幺号到三号窗口办理",
        "repeat": False,
        "event": "finished",
        "outcome": "said",
    }
    pcm = sound.read(tmp_path / "wav" / "000011-A001-3.wav")
    assert sound.duration_ms(pcm) == length_ms
    assert 3_000 < sound.duration_ms(pcm) < 8_000
    assert pcm.startswith(sound.chime() + sound.silence(voice.CHIME_PAUSE_MS))
    assert sound.loudness(pcm[len(sound.chime()) :]) > 0.05
    assert max(map(abs, array("h", pcm))) < sound.PEAK


async def test_a_voice_that_joins_says_nothing_old(tmp_path: Path) -> None:
    async with Speaker(tmp_path) as speaking:
        hall = Loudspeaker(speaking, WavFolder(tmp_path / "wav"))
        hall.play(OPEN + TAKE * 3 + "09:01:00 calls 3", heard=False)
        hall.join()
        await hall.say_all()
        assert hall.told == []
        hall.join()
        hall.play("09:01:05 calls 1")
        await hall.say_all()
        assert hall.became() == ["A002 1 said"]


async def test_what_is_no_longer_true_is_not_said(hall: Loudspeaker) -> None:
    hall.play(
        """
        09:01:00 calls 1
        09:01:00 calls 2
        09:01:00 calls 3
        09:01:05 starts 1
        09:01:06 no-show 2
        """
    )
    await hall.say_all()
    assert hall.became("skipped") == ["A001 1 started", "A002 2 over"]
    assert hall.became() == ["A003 3 said"]


async def test_a_closed_hall_calls_nobody(hall: Loudspeaker) -> None:
    hall.play("09:01:00 calls 1\n09:01:00 calls 2\n09:01:05 closes-hall")
    await hall.say_all()
    assert hall.became("skipped") == ["A001 1 over", "A002 2 over"]
    assert hall.became() == []


async def test_a_recall_takes_the_place_of_the_waiting_call(hall: Loudspeaker) -> None:
    hall.play("09:01:00 calls 1\n09:01:01 calls 2\n09:01:30 recalls 1")
    await hall.say_all()
    assert hall.became("skipped") == ["A001 1 called again"]
    assert hall.became() == ["A001 1 said", "A002 2 said"]
    assert hall.told[1].spoken == "请A零零幺号到一号窗口办理，请尽快"
    hall.play("09:02:00 recalls 1")
    await hall.say_all()
    assert hall.became() == ["A001 1 said", "A002 2 said", "A001 1 said"]


async def test_a_call_older_than_a_minute_is_not_said(hall: Loudspeaker) -> None:
    hall.play("09:01:00 calls 1\n09:01:01 calls 2")
    hall.now += timedelta(seconds=60)
    await hall.say_all()
    assert hall.became("skipped") == ["A001 1 too old"]
    assert hall.became() == ["A002 2 said"]


async def test_after_a_loss_only_what_is_new_and_true_is_said(
    hall: Loudspeaker,
) -> None:
    hall.play("09:01:00 calls 1")
    await hall.say_all()
    hall.lose()
    hall.play(
        """
        09:01:10 calls 2
        09:01:11 calls 3
        09:01:12 no-show 2
        09:01:13 calls 2
        09:01:14 starts 2
        """,
        heard=False,
    )
    hall.lose()
    hall.join()
    hall.join()
    await hall.say_all()
    assert hall.became() == ["A001 1 said", "A003 3 said"]


async def test_a_recall_during_a_loss_is_said(hall: Loudspeaker) -> None:
    hall.play("09:01:00 calls 1\n09:01:01 calls 2")
    await hall.say_all()
    hall.lose()
    hall.play("09:01:10 recalls 1", heard=False)
    hall.join()
    await hall.say_all()
    assert hall.became() == ["A001 1 said", "A002 2 said", "A001 1 said"]
    assert hall.told[-1].spoken.endswith("请尽快")


async def test_what_was_called_long_before_the_signal_is_back_is_not_said(
    hall: Loudspeaker,
) -> None:
    hall.lose()
    hall.play("09:01:00 calls 1\n09:03:00 calls 2", heard=False)
    hall.now += timedelta(seconds=5)
    hall.join()
    await hall.say_all()
    assert hall.became("skipped") == ["A001 1 too old"]
    assert hall.became() == ["A002 2 said"]


async def test_a_call_that_waited_while_the_signal_was_lost(hall: Loudspeaker) -> None:
    hall.play("09:01:00 calls 1\n09:01:00 calls 2")
    hall.lose()
    hall.play("09:01:05 starts 1", heard=False)
    hall.join()
    await hall.say_all()
    assert hall.became("skipped") == ["A001 1 started"]
    assert hall.became() == ["A002 2 said"]


async def test_more_calls_than_the_board_has_rows_were_missed(tmp_path: Path) -> None:
    """Nine windows call during the loss; the board tells of six, the strips of all."""
    opens = "".join(f"09:00:00 opens {w} c{w}\n" for w in range(1, 10))
    items = "zonghe zonghe xuke budongchan budongchan shebao yibao shebao huji"
    takes = "".join(f"09:00:10 takes {item}\n" for item in items.split())
    calls = "".join(f"09:01:0{w} calls {w}\n" for w in range(1, 10))
    async with Speaker(tmp_path) as speaking:
        hall = Loudspeaker(speaking, WavFolder(tmp_path / "wav"))
        hall.play(opens + takes, heard=False)
        hall.join()
        hall.lose()
        hall.play(calls, heard=False)
        hall.join()
        hall.join()
        await hall.say_all()
        assert len(hall.became()) == 9
        assert len(set(hall.became())) == 9
        assert len(os.listdir(tmp_path / "wav")) == 10


async def test_no_more_calls_wait_than_a_hall_has_windows(
    hall: Loudspeaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "WAITING_MAX", 2)
    hall.play("09:01:00 calls 1\n09:01:00 calls 2\n09:01:00 calls 3")
    assert hall.became("skipped") == ["A001 1 too many calls wait"]
