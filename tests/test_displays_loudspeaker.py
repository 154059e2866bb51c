"""The loudspeaker when things fail, with ears around it, and for a whole day."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

import displays.server
from conftest import ServeHall
from displays import sound, speaker, voice
from displays.sound import Announcement, Player, WavFolder
from displays.speaker import Speaker
from floor import commands
from loudspeaker import OPEN, TAKE, Loudspeaker, journal, until
from timeline import MONDAY


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Loudspeaker]:
    """Three open windows, six waiting visitors, and announcements into a folder."""
    async with Speaker(tmp_path / "cache") as speaking:
        rig = Loudspeaker(speaking, WavFolder(tmp_path / "wav"))
        rig.play(OPEN + TAKE * 6, heard=False)
        rig.join()
        yield rig


# ── When things fail ────────────────────────────────────────────────────────


async def test_without_the_engine_there_is_the_chime(
    hall: Loudspeaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    hall.play("09:01:00 calls 1\n09:01:00 calls 2")
    await hall.say_all()
    assert hall.became() == ["A001 1 chime_only", "A002 2 chime_only"]
    pcm = sound.read(tmp_path / "wav" / "000011-A001-1.wav")
    assert pcm == sound.chime() + sound.silence(voice.CHIME_PAUSE_MS)


async def test_an_engine_that_dies_between_two_calls(tmp_path: Path) -> None:
    async with Speaker(tmp_path) as speaking:
        hall = Loudspeaker(speaking, WavFolder(tmp_path / "wav"))
        hall.play(OPEN + TAKE * 3, heard=False)
        hall.join()
        hall.play("09:01:00 calls 1")
        await hall.say_all()
        assert speaking.pid is not None
        os.kill(speaking.pid, signal.SIGKILL)
        hall.play("09:01:10 calls 2")
        await hall.say_all()
        assert hall.became() == ["A001 1 said", "A002 2 said"]


async def test_a_visitor_who_comes_while_the_engine_hangs_is_not_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker, "JOB_S_MAX", 0.8)
    async with Speaker(tmp_path) as speaking:
        hall = Loudspeaker(speaking, WavFolder(tmp_path / "wav"))
        hall.play(OPEN + TAKE * 3, heard=False)
        hall.join()
        await speaking.sentence("窗口")
        assert speaking.pid is not None
        os.kill(speaking.pid, signal.SIGSTOP)
        hall.play("09:01:00 calls 1\n09:01:00 calls 2")
        saying = asyncio.create_task(hall.say_all())
        await asyncio.sleep(0.2)
        hall.play("09:01:05 starts 1")
        await saying
        assert hall.became("skipped") == ["A001 1 started"]
        assert hall.became() == ["A002 2 said"]


async def test_a_full_disk_is_told_and_the_next_call_goes_on(
    hall: Loudspeaker, tmp_path: Path
) -> None:
    wavs = tmp_path / "wav"
    wavs.rmdir()
    hall.play("09:01:00 calls 1")
    await hall.say_all()
    (outcome,) = hall.became()
    assert outcome.startswith("A001 1 unheard: ")
    wavs.mkdir()
    hall.play("09:01:10 calls 2")
    await hall.say_all()
    assert hall.became()[1:] == ["A002 2 said"]


async def test_hostile_names_stay_in_the_folder(tmp_path: Path) -> None:
    output = WavFolder(tmp_path / "wav")
    odd = Announcement(
        position=7, ticket="../../A", window="/etc/x\x00", sentence="", spoken=""
    )
    await output.play(odd, sound.chime())
    assert os.listdir(tmp_path / "wav") == ["000007-.._.._A-_etc_x_.wav"]
    assert os.listdir(tmp_path) == ["wav"]


# ── A loudspeaker with ears around it ───────────────────────────────────────


def player(tmp_path: Path, seconds: float) -> tuple[str, ...]:
    """A player program that notes how long the file is, and takes its time."""
    script = tmp_path / "player.sh"
    script.write_text(f'wc -c < "$1" >> {tmp_path}/played\nsleep {seconds}\n')
    return ("/bin/sh", str(script))


async def test_a_call_is_repeated_when_nobody_else_waits(tmp_path: Path) -> None:
    async with Speaker(tmp_path) as speaking:
        hall = Loudspeaker(speaking, Player(tmp_path, player(tmp_path, 0)))
        hall.play(OPEN + TAKE * 3, heard=False)
        hall.join()
        hall.play("09:01:00 calls 1\n09:01:00 calls 2")
        await hall.say_all()
        assert hall.became() == ["A001 1 said", "A002 2 said", "A002 2 said repeat"]
    sizes = [int(line) for line in (tmp_path / "played").read_text().split()]
    assert len(sizes) == 3
    chimed, repeated = sizes[1:]
    pause = len(sound.silence(voice.REPEAT_PAUSE_MS))
    lead = len(sound.chime() + sound.silence(voice.CHIME_PAUSE_MS))
    assert chimed - lead == repeated - pause


async def test_a_newer_call_or_the_visitor_ends_the_repeat(tmp_path: Path) -> None:
    async with Speaker(tmp_path) as speaking:
        hall = Loudspeaker(speaking, Player(tmp_path, player(tmp_path, 0.4)))
        hall.play(OPEN + TAKE * 3, heard=False)
        hall.join()
        saying = asyncio.create_task(hall.announcer.say_on())
        hall.play("09:01:00 calls 1")
        await until(lambda: hall.became("started") == ["A001 1 "])
        hall.play("09:01:05 calls 2")
        assert hall.became("skipped") == ["A001 1 a newer call waits repeat"]
        await until(lambda: hall.became("started") == ["A001 1 ", "A002 2 "])
        hall.play("09:01:10 starts 2")
        assert hall.became("skipped")[1:] == ["A002 2 started repeat"]
        await until(lambda: hall.became() == ["A001 1 said", "A002 2 said"])
        hall.play("09:01:15 calls 3")
        await until(lambda: "A003 3 said repeat" in hall.became())
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)
    assert len((tmp_path / "played").read_text().split()) == 4


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((), "no player"),
        (("/bin/false",), "/bin/false failed with code 1"),
        (("/nonexistent/aplay",), "[Errno 2]"),
        (("/bin/sh", "-c", "sleep 60"), "/bin/sh did not end"),
    ],
)
async def test_a_loudspeaker_that_is_silent_is_told_once(
    tmp_path: Path,
    command: tuple[str, ...],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sound, "PLAYER_S_SPARE", -4.5)
    async with Speaker(tmp_path) as speaking:
        hall = Loudspeaker(speaking, Player(tmp_path, command))
        hall.play(OPEN + TAKE * 3, heard=False)
        hall.join()
        hall.play("09:01:00 calls 1\n09:01:00 calls 2\n09:01:01 starts 2")
        with caplog.at_level(logging.WARNING):
            await hall.say_all()
    assert len(hall.became()) >= 1
    assert all(f"unheard: {why}" in line for line in hall.became())
    assert sum("没有声音" in record.message for record in caplog.records) == 1
    assert not [name for name in os.listdir(tmp_path) if name.startswith("playing")]


# ── All of it ───────────────────────────────────────────────────────────────


async def test_two_hundred_announcements_are_all_there(tmp_path: Path) -> None:
    async with Speaker(tmp_path / "cache") as speaking:
        hall = Loudspeaker(speaking, WavFolder(tmp_path / "wav"))
        hall.play("09:00:00 opens 1 c1", heard=False)
        hall.join()
        for n in range(200):
            hall.play(
                f"""
                {clock(n, 0)} takes zonghe
                {clock(n, 1)} calls 1
                """
            )
            await hall.say_all()
            hall.play(f"{clock(n, 2)} starts 1\n{clock(n, 3)} finishes 1")
    assert [line["outcome"] for line in journal(tmp_path)] == ["said"] * 200
    wavs = sorted((tmp_path / "wav").glob("*.wav"))
    assert len(wavs) == 200
    assert all(2_500 < sound.duration_ms(sound.read(wav)) < 9_000 for wav in wavs)
    assert len({wav.read_bytes() for wav in wavs}) == 200


def clock(n: int, second: int) -> str:
    return f"{9 + n // 60:02d}:{n % 60:02d}:{second:02d}"


async def test_an_address_that_is_none_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="不是大厅地址"):
        await voice.run(
            "hall", wav=tmp_path, cache=tmp_path, clock=lambda: MONDAY, name="x"
        )


async def test_a_real_hall_is_announced_through_a_restart(
    serve_hall: ServeHall, tmp_path: Path
) -> None:
    told: list[Announcement] = []

    def said() -> list[str]:
        return [a.ticket for a in told if a.event == "finished"]

    def now() -> datetime:
        return served.floor.clock()

    async with serve_hall(displays.server.routes) as served:
        for window in ("1", "2"):
            await served.floor.do(commands.OpenWindow(window=window, clerk=window))
        for _ in range(4):
            await served.floor.do(commands.TakeTicket(item="zonghe"))
        await served.floor.do(commands.CallNext(window="1"))
        announcing = asyncio.create_task(
            voice.run(
                served.url,
                wav=tmp_path / "wav",
                cache=tmp_path / "cache",
                clock=now,
                on_event=told.append,
            )
        )
        await until(lambda: len(list((tmp_path / "cache").glob("*.wav"))) == 1)
        await asyncio.sleep(0.2)
        await served.floor.do(commands.CallNext(window="2"))
        await until(lambda: said() == ["A002"])
        port = int(served.url.rpartition(":")[2])
    async with serve_hall(port=port) as served:
        # The hall is back, but not its screens: a call is made meanwhile.
        await served.floor.do(commands.StartService(window="2"))
        await served.floor.do(commands.FinishService(window="2"))
        await served.floor.do(commands.CallNext(window="2"))
    async with serve_hall(displays.server.routes, port=port) as served:
        await until(lambda: said() == ["A002", "A003"])
        await served.floor.do(commands.RecallTicket(window="2"))
        await until(lambda: said() == ["A002", "A003", "A003"])
        announcing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await announcing
    names = sorted(os.listdir(tmp_path / "wav"))
    assert [name.partition("-")[2] for name in names] == [
        "A002-2.wav",
        "A003-2.wav",
        "A003-2.wav",
        "",
    ]
    assert len(journal(tmp_path)) == 3
