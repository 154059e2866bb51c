"""The voice: real sound from the real engine, whatever happens to it."""

import asyncio
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from displays import sound, speaker, wording
from displays.speaker import Speaker, SpeechFailed, Unspeakable

SENTENCE = "请A零幺二号到三号窗口办理"
ROOT = Path(__file__).parent.parent


@pytest.fixture
async def speaking(tmp_path: Path) -> AsyncIterator[Speaker]:
    async with Speaker(tmp_path / "cache") as ready:
        yield ready


# ── Sound ───────────────────────────────────────────────────────────────────


def energy_at(pcm: bytes, tone_hz: float) -> float:
    """Share of the sound's energy at one frequency (Goertzel)."""
    samples = array("h", pcm)
    w = 2 * math.pi * tone_hz / sound.SAMPLES_PER_S
    before = now = 0.0
    for sample in samples:
        before, now = now, sample + 2 * math.cos(w) * now - before
    power = now * now + before * before - 2 * math.cos(w) * now * before
    total = sum(s * s for s in samples) * len(samples) / 2
    return power / total if total else 0.0


def test_the_chime_is_ding_dong() -> None:
    pcm = sound.chime()
    assert sound.duration_ms(pcm) == 800
    ding, dong = pcm[: len(pcm) // 2], pcm[len(pcm) // 2 :]
    assert energy_at(ding, 659.25) > 0.5 > 0.05 > energy_at(ding, 523.25)
    assert energy_at(dong, 523.25) > 0.5 > 0.05 > energy_at(dong, 659.25)
    samples = array("h", pcm)
    assert max(map(abs, samples)) < 0.6 * sound.PEAK
    steps = [abs(b - a) for a, b in itertools.pairwise(samples)]
    assert max(steps) < 0.1 * sound.PEAK, "A jump would be heard as a click."


def test_wav_files_come_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "chime.wav"
    sound.write(path, sound.wav(sound.chime()))
    assert sound.read(path) == sound.chime()
    assert [file.name for file in tmp_path.iterdir()] == ["chime.wav"]
    for bad in (b"", b"RIFF", path.read_bytes()[:1000]):
        path.write_bytes(bad)
        with pytest.raises(sound.BadSound):
            sound.read(path)
    with pytest.raises(sound.BadSound):
        sound.read(tmp_path / "none.wav")


async def test_a_sentence_is_real_speech(speaking: Speaker) -> None:
    pcm = await speaking.sentence(SENTENCE)
    assert 2_000 < sound.duration_ms(pcm) < 8_000
    assert sound.loudness(pcm) > 0.05
    assert max(map(abs, array("h", pcm))) < sound.PEAK, "It is clipped."
    assert re.fullmatch(r"pyttsx3 espeak-ng 1\.5[2-9].*", speaking.engine)


async def test_texts_that_differ_sound_different(speaking: Speaker) -> None:
    tickets = ("A102", "A120", "A012", "A112", "A121", "B102", "A1020")
    sounds = {
        await speaking.sentence(wording.spoken(ticket, window))
        for ticket in tickets
        for window in ("1", "11", "12")
    }
    assert len(sounds) == len(tickets) * 3


async def test_english_has_its_own_voice(tmp_path: Path) -> None:
    async with Speaker(tmp_path, "en") as speaking:
        pcm = await speaking.sentence(wording.spoken("A108", "3", "en"))
    assert 2_000 < sound.duration_ms(pcm) < 8_000


def engine(script: str) -> str:
    """What a script says that has the engine in its own process, as `read`."""
    head = (
        "import os, sys\n"
        "out = os.fdopen(os.dup(1), 'w'); os.dup2(2, 1)\n"
        "from displays import speech, wording\n"
        "engine = speech.Engine('cmn', 160); engine.prove()\n"
    )
    tail = "\nout.flush(); os._exit(0)"
    ran = subprocess.run(
        [sys.executable, "-c", head + script + tail],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return ran.stdout.decode()


def test_the_engine_pronounces_every_ticket_differently() -> None:
    told = engine(
        "for n in range(1, 1000):\n"
        "    said = engine.phonemes(wording.ticket_aloud(f'A{n:03d}'))\n"
        "    plain = engine.phonemes(f'A{n:03d}')\n"
        "    print(said, plain, sep='\\t', file=out)"
    )
    said, plain = zip(*(line.split("\t") for line in told.splitlines()), strict=True)
    assert len(set(said)) == 999
    # This is why: given digits, the engine leaves out 零 and A108 sounds like A180.
    zero = said[0].split("|")[1].strip()
    assert zero in said[107]
    assert zero not in plain[107]


def test_the_engine_says_letters_by_their_names() -> None:
    told = engine(
        "for text in ('请A、P零', '请P零', '请A零'):\n"
        "    print(engine.phonemes(text), file=out)"
    ).splitlines()
    assert "eI" in told[0]
    assert "p'i:" in told[0]
    assert "p'i:" in told[1]
    assert "eI" in told[2]


def test_a_voice_in_the_wrong_language_is_found_at_the_start() -> None:
    script = "from displays import speech; speech.PROOFS['cmn'] = {!r}; speech.main()"
    text = "please go over there"
    ran = subprocess.run(
        [sys.executable, "-c", script.format(text), "cmn", "160"],
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert ran.returncode == 1
    assert f"reads {text} as" in json.loads(ran.stdout)["failed"]


def test_the_engine_ends_with_its_stdin_and_speaks_only_json(tmp_path: Path) -> None:
    jobs: list[dict[str, object] | str | list[int]] = [
        {"text": SENTENCE, "path": str(tmp_path / "a.wav")},
        {"text": "", "path": str(tmp_path / "b.wav")},
        {"text": "好" * 201, "path": str(tmp_path / "b.wav")},
        {"text": "好\x00", "path": str(tmp_path / "b.wav")},
        {"text": "好", "path": str(tmp_path / "no" / "b.wav")},
        {"path": 1},
        [1],
        "x",
        {"text": SENTENCE, "path": str(tmp_path / "c.wav")},
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "displays.speech", "cmn", "160"],
        cwd=ROOT,
        input="".join(json.dumps(job) + "\n" for job in jobs).encode(),
        capture_output=True,
        timeout=30,
        check=True,
    )
    hello, *answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert hello["voice"] == "cmn"
    assert [list(answer) for answer in answers] == [
        ["frames"],
        *[["error"]] * 7,
        ["frames"],
    ]
    assert sound.duration_ms(sound.read(tmp_path / "c.wav")) > 2_000
    assert not (tmp_path / "b.wav").exists()


# ── The engine's process ────────────────────────────────────────────────────


async def frozen(speaking: Speaker, text: str) -> "asyncio.Task[bytes]":
    """A job that the stopped engine has got and does not answer."""
    await speaking.sentence("窗口")
    assert speaking.pid is not None
    os.kill(speaking.pid, signal.SIGSTOP)
    job = asyncio.create_task(speaking.sentence(text))
    await asyncio.sleep(0.1)
    assert not job.done()
    return job


async def test_an_engine_killed_in_the_middle_is_started_again(
    speaking: Speaker,
) -> None:
    job = await frozen(speaking, SENTENCE)
    killed = speaking.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    assert sound.duration_ms(await job) > 2_000
    assert speaking.pid not in (None, killed)


async def test_an_engine_that_hangs_is_killed_and_started_again(
    speaking: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker, "JOB_S_MAX", 0.8)
    job = await frozen(speaking, SENTENCE)
    hung = speaking.pid
    assert hung is not None
    assert sound.duration_ms(await job) > 2_000
    assert speaking.pid != hung
    with pytest.raises(ProcessLookupError):
        os.kill(hung, 0)


async def test_after_all_tries_the_engine_rests_and_calls_do_not_wait(
    speaking: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SpeechFailed):
        await speaking.sentence(SENTENCE)
    before = time.monotonic()
    with pytest.raises(SpeechFailed, match="resting"):
        await speaking.sentence(SENTENCE)
    assert time.monotonic() - before < 0.1
    monkeypatch.undo()
    monkeypatch.setattr(speaking, "_resting_until", 0.0)
    assert await speaking.sentence(SENTENCE)


async def test_what_was_said_once_is_said_from_the_cache(
    speaking: Speaker, tmp_path: Path
) -> None:
    pcm = await speaking.sentence(SENTENCE)
    (kept,) = (tmp_path / "cache").glob("*.wav")
    assert re.fullmatch(r"[0-9a-f]{64}\.wav", kept.name)
    assert speaking.pid is not None
    os.kill(speaking.pid, signal.SIGKILL)
    assert await speaking.sentence(SENTENCE) == pcm  # Nobody is there to say it.
    silent = sound.wav(sound.silence(4_000))
    loud_but_short = sound.wav(pcm[len(pcm) // 2 :][:10_000])
    for bad in (b"", kept.read_bytes()[:2000], silent, loud_but_short):
        kept.write_bytes(bad)
        again = await speaking.sentence(SENTENCE)
        assert abs(sound.duration_ms(again) - sound.duration_ms(pcm)) < 100
        assert sound.loudness(again) > 0.05
        assert sound.read(kept) == again


async def test_the_cache_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker, "CACHE_FILES_MAX", 3)
    for n in range(6):
        path = tmp_path / f"{n}.wav"
        path.write_bytes(b"x")
        os.utime(path, (n, n))
    async with Speaker(tmp_path):
        assert sorted(os.listdir(tmp_path)) == ["3.wav", "4.wav", "5.wav"]


async def test_the_cache_is_bounded_while_it_fills(
    speaking: Speaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker, "CACHE_FILES_MAX", 3)
    monkeypatch.setattr(speaker, "TRIM_EVERY", 2)
    for n in range(1, 9):
        await speaking.sentence(wording.ticket_aloud(f"A{n:03d}"))
        assert len(os.listdir(tmp_path / "cache")) <= 4


@pytest.mark.parametrize(
    "text",
    ["", " \u3000", "好" * 10_000, "A108", "好\x00好", "好\n", "\u202e好", "\uff13号"],
)
async def test_texts_that_are_never_given_to_the_engine(
    speaking: Speaker, text: str
) -> None:
    with pytest.raises(Unspeakable):
        await speaking.sentence(text)
    assert speaking.pid is None


async def test_many_at_once_are_said_one_by_one(speaking: Speaker) -> None:
    texts = [wording.spoken(f"A{n:03d}", "3") for n in range(1, 21)]
    sounds = await asyncio.gather(*(speaking.sentence(text) for text in texts))
    assert len(set(sounds)) == 20


async def test_nothing_is_left_when_it_is_cancelled(tmp_path: Path) -> None:
    pids: list[int] = []

    async def speak() -> None:
        async with Speaker(tmp_path) as speaking:
            job = await frozen(speaking, SENTENCE)
            assert speaking.pid is not None
            pids.append(speaking.pid)
            await job

    task = asyncio.create_task(speak())
    await until(lambda: bool(pids))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def until(true: Callable[[], bool], wait_s: float = 15) -> None:
    async with asyncio.timeout(wait_s):
        while not true():  # noqa: ASYNC110 - what is waited for may be anything.
            await asyncio.sleep(0.01)
