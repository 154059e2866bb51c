"""Speaking (合成语音): a sentence becomes sound, whatever the engine does.

The engine lives in its own process (`displays.speech`), which is killed and started
again when it hangs, crashes or gives a file that cannot be right. What it has said
once is kept in files named by what they say.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from displays import sound
from displays.speech import TEXT_MAX
from displays.wording import Lang

VOICES: dict[Lang, str] = {"zh": "cmn", "en": "en-us"}
RATE = 160  # Words a minute as espeak counts them: a call takes about 4 s.
# A job takes 20 ms and a start 100 to 400 ms; whatever takes so long has hung.
JOB_S_MAX = 3
START_S_MAX = 10
TRIES_MAX = 2
# After the last try the engine is left alone for a while: the calls go on with the
# chime and do not wait for it again and again.
REST_S = 15
# Of a call of 4 s there are 180 kB; a rush hour's calls and their repeats fit in.
CACHE_FILES_MAX = 500
TRIM_EVERY = 50
# The engine's quietest sentence has 0.08, an empty one 0; the shortest syllable takes
# 120 ms and the longest sentence 15 s.
LOUDNESS_MIN = 0.02
CHAR_MS_MIN = 40
SENTENCE_MS_MAX = 60_000

ROOT = Path(__file__).parent.parent

logger = logging.getLogger(__name__)


class Unspeakable(ValueError):
    """A text that is never given to the engine."""


class SpeechFailed(RuntimeError):
    """The engine does not speak, after all tries."""


class Speaker:
    """Sentences as sound, through the engine's own process and a cache of files.

    Use as `async with`; the process ends with the block.

    Attributes:
        engine: its name and version, empty before its first start.

    Args:
        cache: folder for WAV files, named by what they say and who says it.
        lang: the language of the voice.
    """

    def __init__(self, cache: Path, lang: Lang = "zh") -> None:
        cache.mkdir(parents=True, exist_ok=True)
        self._cache = cache.resolve()
        self._voice = VOICES[lang]
        self._process: asyncio.subprocess.Process | None = None
        self.engine = ""
        self._kept = 0
        self._resting_until = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._trim()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._end()

    @property
    def pid(self) -> int | None:
        """Process id of the engine while it runs."""
        return self._process.pid if self._process else None

    async def sentence(self, text: str) -> bytes:
        """A sentence as PCM, checked: it has a right length and is not silent.

        Raises:
            Unspeakable: the text is empty, too long, or holds digits or control
                characters.
            SpeechFailed: the engine failed, after all tries; or is resting from that.
        """
        check(text)
        async with self._one_at_a_time:
            if self.engine:
                with contextlib.suppress(sound.BadSound):
                    return checked(self._path(text), text)
            if time.monotonic() < self._resting_until:
                raise SpeechFailed("the engine is resting after its failure")
            for attempt in range(1, TRIES_MAX + 1):
                try:
                    return await self._render(text)
                except SpeechFailed as error:
                    await self._end()
                    if attempt == TRIES_MAX:
                        self._resting_until = time.monotonic() + REST_S
                        raise
                    logger.warning("The engine starts again: %s", error)
            raise AssertionError("The last try returns or raises.")

    def _path(self, text: str) -> Path:
        """Where the cache keeps a sentence."""
        key = f"{self.engine}|{self._voice}|{RATE}|{text}"
        return self._cache / f"{hashlib.sha256(key.encode()).hexdigest()}.wav"

    async def _render(self, text: str) -> bytes:
        """Let the engine speak into a file, check it, and keep it."""
        part = self._cache / f"speaking-{os.getpid()}.wav"
        process = self._process or await self._start()
        job = {"text": text, "path": str(part)}
        try:
            answer = await _ask(process, job, JOB_S_MAX)
        except asyncio.CancelledError:
            # Its answer would be taken for that of the next job, and a wrong ticket
            # be called.
            process.kill()
            raise
        if "frames" not in answer:
            raise SpeechFailed(str(answer.get("error", answer)))
        try:
            pcm = checked(part, text)
            part.replace(self._path(text))
        except (sound.BadSound, OSError) as error:
            raise SpeechFailed(str(error)) from None
        self._kept += 1
        if self._kept % TRIM_EVERY == 0:
            self._trim()
        return pcm

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "displays.speech", self._voice, str(RATE)),
                cwd=ROOT,
                stdin=pipe,
                stdout=pipe,
                # pyttsx3 prints there for each file; what matters comes as an answer.
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us; it ends with its stdin.
            )
        except OSError as error:
            raise SpeechFailed(f"The engine does not start: {error}") from None
        hello = await _ask(process, None, START_S_MAX)
        if "engine" not in hello:
            raise SpeechFailed(f"The engine does not start: {hello.get('failed')}")
        self.engine = str(hello["engine"])
        return process

    async def _end(self) -> None:
        """End the engine's process, however it is, and close its pipes."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    def _trim(self) -> None:
        """Keep the cache within its bound; what was written first goes first."""
        with contextlib.suppress(OSError):
            files = sorted(self._cache.glob("*.wav"), key=lambda f: f.stat().st_mtime)
            for file in files[:-CACHE_FILES_MAX]:
                file.unlink(missing_ok=True)


def check(text: str) -> None:
    """Make sure that a text can be given to the engine.

    Raises:
        Unspeakable: it is empty, too long, or holds digits or control characters.
    """
    if not text.strip():
        raise Unspeakable("There is nothing to say.")
    if len(text) > TEXT_MAX:
        raise Unspeakable(f"A text of {len(text)} characters; {TEXT_MAX} at most.")
    if not text.isprintable():
        raise Unspeakable("The text holds control characters.")
    if any(char.isdecimal() for char in text):
        raise Unspeakable("The text holds digits, which the engine reads wrongly.")


def checked(path: Path, text: str) -> bytes:
    """The PCM in a file, when it can be this text.

    Raises:
        BadSound: it is missing, broken, silent, or much too short or long.
    """
    pcm = sound.read(path)
    length_ms = sound.duration_ms(pcm)
    if not CHAR_MS_MIN * len(text) <= length_ms <= SENTENCE_MS_MAX:
        raise sound.BadSound(f"{len(text)} characters took {length_ms} ms")
    if sound.loudness(pcm) < LOUDNESS_MIN:
        raise sound.BadSound(f"{path.name} is silent")
    return pcm


async def _ask(
    process: asyncio.subprocess.Process, job: dict[str, str] | None, limit_s: float
) -> dict[str, object]:
    """Give the engine's process a job, if any, and wait for its answer.

    Raises:
        SpeechFailed: it has ended, hangs, or answers what is no answer.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(limit_s):
            if job is not None:
                process.stdin.write(json.dumps(job).encode() + b"\n")
                await process.stdin.drain()
            answer = json.loads(await process.stdout.readline())
    except TimeoutError:
        raise SpeechFailed(f"The engine hangs for {limit_s} s.") from None
    except (OSError, ValueError):
        raise SpeechFailed("The engine has ended.") from None
    if not isinstance(answer, dict):
        raise SpeechFailed("The engine gives no answer.")
    return answer
