"""Sound: the chime, announcements as WAV, and the two places they can go.

PCM here is what the speech engine gives: 22,050 samples a second, mono, 16 bits. WAV
is little-endian, as is every machine that a hall will run this on.
"""

import array
import asyncio
import functools
import io
import logging
import math
import os
import re
import shutil
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

SAMPLES_PER_S = 22_050
SAMPLE_BYTES = 2
PEAK = 32_767

# Ding-dong, a major third down (E5, C5), as halls and stations have it.
CHIME_HZ = (659.25, 523.25)
CHIME_MS = 800
CHIME_PEAK = 0.5
CHIME_FADE_IN_MS = 5  # Without it the tone begins with a click.
CHIME_DECAY_PER_S = 6.0

# A player may need a moment to open the sound card beyond what it plays.
PLAYER_S_SPARE = 5
PLAYERS: tuple[tuple[str, ...], ...] = (
    ("aplay", "-q"),
    ("paplay",),
    ("afplay",),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet"),
)

logger = logging.getLogger(__name__)


class BadSound(ValueError):
    """A file is not the sound it should be."""


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a call at the loudspeaker.

    Attributes:
        position: of the fact that called the ticket.
        sentence: as shown on screens; `spoken` as given to the voice.
        repeat: said for the second time.
        event: `started` when its sound begins, `finished` when that is over,
            `skipped` when it was not said.
        outcome: of a finished one `said`, `chime_only` (no voice) or `unheard: why`;
            of a skipped one the reason.
        duration_ms: of the sound; 0 when there was none.
    """

    position: int
    ticket: str
    window: str
    sentence: str
    spoken: str
    repeat: bool = False
    event: Literal["started", "finished", "skipped"] = "started"
    outcome: str = ""
    duration_ms: int = 0


class Output(Protocol):
    """Where announcements go.

    Attributes:
        ears: somebody listens, so that saying it twice makes sense.
    """

    ears: bool

    async def play(self, announcement: Announcement, pcm: bytes) -> str:
        """Let it be heard, to the end; gives why it was not, or nothing.

        Raises:
            OSError: the disk is full, or the like.
        """

    def note(self, announcement: Announcement) -> None:
        """Keep what became of an announcement, where there is a place for it."""


class WavFolder:
    """Announcements as files, so that they can be checked without a sound card.

    `000123-A012-3.wav` for each call, and a line of `announcements.jsonl` for each
    that was said or skipped.
    """

    ears = False

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    async def play(self, announcement: Announcement, pcm: bytes) -> str:
        called = f"{_plain(announcement.ticket)}-{_plain(announcement.window)}"
        path = self._folder / f"{announcement.position:06d}-{called}.wav"
        write(path, wav(pcm))
        return ""

    def note(self, announcement: Announcement) -> None:
        line = msgspec.json.encode(announcement) + b"\n"
        with (self._folder / "announcements.jsonl").open("ab") as journal:
            journal.write(line)


class Player:
    """A loudspeaker, through a player program of the system.

    Args:
        folder: for the file that is being played.
        command: the program with its options; the first one found when not given.
    """

    def __init__(self, folder: Path, command: Sequence[str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"playing-{os.getpid()}.wav"
        self._command = find_player() if command is None else tuple(command)
        self.ears = bool(self._command)
        self._warned = False

    async def play(self, announcement: Announcement, pcm: bytes) -> str:
        try:
            write(self._path, wav(pcm))
            why = await self._play(pcm) if self._command else "no player"
        except OSError as error:
            why = str(error)
        finally:
            self._path.unlink(missing_ok=True)
        if why and not self._warned:
            self._warned = True
            names = ", ".join(player[0] for player in PLAYERS)
            logger.warning(
                "没有声音：叫号没有播出 (nothing is heard: %s). "
                "Install one of %s, or use --wav.",
                why,
                names,
            )
        return why

    async def _play(self, pcm: bytes) -> str:
        null = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *self._command,
            str(self._path),
            stdin=null,
            stdout=null,
            stderr=null,
            start_new_session=True,  # Ctrl-C is for us; we end it.
        )
        try:
            async with asyncio.timeout(duration_ms(pcm) / 1000 + PLAYER_S_SPARE):
                code = await process.wait()
        except TimeoutError:
            return f"{self._command[0]} did not end"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return f"{self._command[0]} failed with code {code}" if code else ""

    def note(self, announcement: Announcement) -> None:
        pass  # The log line is enough where it can be heard.


def find_player() -> tuple[str, ...]:
    """The first player program that this system has; empty without one."""
    return next((player for player in PLAYERS if shutil.which(player[0])), ())


# ── PCM ─────────────────────────────────────────────────────────────────────


@functools.cache
def chime() -> bytes:
    """Ding-dong, 0.8 s."""
    each = SAMPLES_PER_S * CHIME_MS // 1000 // len(CHIME_HZ)
    fade_in = SAMPLES_PER_S * CHIME_FADE_IN_MS // 1000
    samples = array.array("h")
    for tone_hz in CHIME_HZ:
        for n in range(each):
            s = n / SAMPLES_PER_S
            level = min(1.0, n / fade_in) * math.exp(-CHIME_DECAY_PER_S * s)
            # It is faded out at the end too, where the decay has not come to nothing.
            level *= min(1.0, (each - n) / fade_in)
            tone = math.sin(2 * math.pi * tone_hz * s)
            samples.append(round(PEAK * CHIME_PEAK * level * tone))
    return samples.tobytes()


def silence(ms: int) -> bytes:
    return bytes(SAMPLES_PER_S * ms // 1000 * SAMPLE_BYTES)


def duration_ms(pcm: bytes) -> int:
    return len(pcm) // SAMPLE_BYTES * 1000 // SAMPLES_PER_S


def loudness(pcm: bytes) -> float:
    """Root mean square of the samples, 0 to 1; 0 for no samples."""
    # Each seventh sample tells as much in a seventh of the time: 2 ms, not 15.
    samples = array.array("h", pcm)[::7]
    if not samples:
        return 0.0
    return math.sqrt(sum(s * s for s in samples) / len(samples)) / PEAK


def wav(pcm: bytes) -> bytes:
    """PCM as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(SAMPLE_BYTES)
        out.setframerate(SAMPLES_PER_S)
        out.writeframes(pcm)
    return file.getvalue()


def read(path: Path) -> bytes:
    """The PCM in a WAV file.

    Raises:
        BadSound: it is missing, broken or of another format.
    """
    try:
        with wave.open(str(path), "rb") as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            count = file.getnframes()
            pcm = file.readframes(count)
    except (OSError, EOFError, wave.Error) as error:
        raise BadSound(f"{path.name}: {error or type(error).__name__}") from None
    if form != (1, SAMPLE_BYTES, SAMPLES_PER_S):
        raise BadSound(f"{path.name} has another format: {form}")
    if len(pcm) != count * SAMPLE_BYTES:
        raise BadSound(f"{path.name} is cut off")
    return pcm


def write(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def _plain(name: str) -> str:
    """A name that is safe within a file name."""
    return re.sub(r"[^\w.-]", "_", name)[:40]
