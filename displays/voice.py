"""The voice (语音): each call is announced once at once, again when there is time.

The `Announcer` decides what is said, in which order, and what need not be said any
more; `displays.speaker` turns a sentence into sound. When that fails there is still
the chime, so that people look up at the screen: the hall is never silent.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from displays import sound, wording
from displays.follower import Lost, Shown, follow, screen_address
from displays.frames import Call, CallFrame, ChangeFrame, Snapshot, WindowStrip
from displays.sound import Announcement, Output, Player, WavFolder
from displays.speaker import Speaker, SpeechFailed, Unspeakable
from displays.wording import Lang

# The pause after the chime, and the one that separates the repeat from the first time.
CHIME_PAUSE_MS = 150
REPEAT_PAUSE_MS = 800
# Who has been called a minute ago is at the window, or is called again by the clerk.
CALL_AGE_MAX = timedelta(seconds=60)
# One call can wait for each window of the largest hall.
WAITING_MAX = 500

logger = logging.getLogger(__name__)

OnEvent = Callable[[Announcement], None]
Clock = Callable[[], datetime]


async def run(
    url: str,
    *,
    wav: Path | None,
    cache: Path,
    lang: Lang = "zh",
    repeat: bool = True,
    clock: Clock,
    name: str = "voice",
    on_event: OnEvent | None = None,
) -> None:
    """Announce the calls of a hall at one loudspeaker, until cancelled.

    Args:
        url: of the hall, `http://127.0.0.1:8000`.
        wav: folder for WAV files instead of a loudspeaker.
        cache: folder for sentences that have been spoken before.
        lang: the language of the voice.
        repeat: say each call again when no other one waits.
        clock: aware UTC.
        name: by which the hall knows this loudspeaker.
        on_event: told of each announcement that starts, finishes or is skipped.

    Raises:
        Unusable: the URL is none.
        OSError: a folder cannot be made.
    """
    screen_address(url, name)  # Raised from within the group it would be a group.
    output: Output = WavFolder(wav) if wav else Player(cache)
    async with Speaker(cache, lang) as speaker, asyncio.TaskGroup() as tasks:
        announcer = Announcer(
            speaker, output, clock, lang=lang, repeat=repeat, on_event=on_event
        )
        tasks.create_task(_warm_up(speaker, lang))
        tasks.create_task(announcer.say_on())
        async with aclosing(follow(url, name)) as following:
            async for frame in following:
                announcer.hear(frame)


async def _warm_up(speaker: Speaker, lang: Lang) -> None:
    """Start the engine, so that the first call does not wait for it."""
    with contextlib.suppress(SpeechFailed):
        await speaker.sentence(wording.spoken("A001", "1", lang))
        logger.info("语音就绪 (voice is ready): %s", speaker.engine)


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A call that waits to be said; `since` is when it was made, as far as known."""

    call: Call
    position: int
    since: datetime
    repeat: bool = False


class Announcer:
    """One loudspeaker: calls are said one after the other, none twice.

    Attributes:
        waiting: what is still to be said, the next one first.
    """

    def __init__(
        self,
        speaker: Speaker,
        output: Output,
        clock: Clock,
        *,
        lang: Lang = "zh",
        repeat: bool = True,
        on_event: OnEvent | None = None,
    ) -> None:
        self._speaker = speaker
        self._output = output
        self._clock = clock
        self._lang: Lang = lang
        self._repeats = repeat and output.ears
        self._on_event = on_event
        self.waiting: deque[Job] = deque()
        self._repeat: Job | None = None
        self._saying: Job | None = None
        # The last call of each window that has been dealt with; None before joining.
        self._heard: dict[str, Call] | None = None
        self._lost_at: datetime | None = None
        self._woken = asyncio.Event()

    def hear(self, frame: Shown | Lost) -> None:
        """Take note of what the hall says; nothing is said before `say_next`."""
        match frame:
            case Snapshot():
                self._drop_untrue(frame.windows)
                self._catch_up(frame)
            case CallFrame():
                self._drop_untrue([frame.strip])
                self._take(frame.call, frame.position, self._clock())
            case ChangeFrame() if frame.strip:
                self._drop_untrue([frame.strip])
            case Lost() if self._lost_at is None:
                self._lost_at = self._clock()

    async def say_on(self) -> None:
        """Say what there is to say, until cancelled."""
        while True:
            self._woken.clear()
            if not await self.say_next():
                await self._woken.wait()

    async def say_next(self) -> bool:
        """Say the next call, or the repeat when no call waits; false for neither."""
        if self.waiting:
            job = self.waiting.popleft()
            if self._repeats and not self.waiting:
                self._repeat = msgspec.structs.replace(job, repeat=True)
        elif self._repeat:
            job, self._repeat = self._repeat, None
        else:
            return False
        if self._clock() - job.since > CALL_AGE_MAX:
            self._skip(job, "too old")
            return True
        self._saying = job
        sentence = await self._sentence(job)
        # Speaking may have taken its time; the visitor may be at the window by now.
        if self._saying is job and (sentence or not job.repeat):
            self._saying = None
            await self._play(job, sentence)
        return True

    async def _sentence(self, job: Job) -> bytes:
        try:
            return await self._speaker.sentence(self._announcement(job).spoken)
        except (Unspeakable, SpeechFailed) as error:
            called = f"{job.call.ticket} → {job.call.window}"
            logger.warning("语音失败，只响提示音 (chime only): %s: %s", called, error)
            return b""

    async def _play(self, job: Job, sentence: bytes) -> None:
        lead = sound.chime() + sound.silence(CHIME_PAUSE_MS)
        pcm = (sound.silence(REPEAT_PAUSE_MS) if job.repeat else lead) + sentence
        length_ms = sound.duration_ms(pcm)
        started = self._announcement(job, duration_ms=length_ms)
        self._tell(started)
        try:
            unheard = await self._output.play(started, pcm)
        except OSError as error:
            unheard = str(error)
            logger.warning("叫号没有播出 (nothing is heard): %s", unheard)
        outcome = f"unheard: {unheard}" if unheard else "said"
        if not sentence and not unheard:
            outcome = "chime_only"
        finished = msgspec.structs.replace(started, event="finished", outcome=outcome)
        self._tell(finished)

    def _catch_up(self, snapshot: Snapshot) -> None:
        """Take up the calls that were made while the signal was lost.

        What a snapshot holds when the voice joins was called before its time. The
        board lists the last calls only; of others the window's strip tells.
        """
        lost_at, self._lost_at = self._lost_at or self._clock(), None
        listed = {call.ticket for call in snapshot.calls}
        calls = [
            Call(
                ticket=strip.ticket,
                window=strip.window,
                window_name=strip.name,
                window_name_en=strip.name_en,
                at=lost_at,
                times=1,
                state="called",
                over=False,
            )
            for strip in snapshot.windows
            if strip.state == "called" and strip.ticket not in listed
        ]
        calls += [
            call
            for call in reversed(snapshot.calls)
            if call.state == "called" and not call.over
        ]
        if self._heard is None:
            self._heard = {call.window: call for call in calls}
            return
        for call in calls:
            heard = self._heard.get(call.window)
            known = heard is not None and heard.ticket == call.ticket
            if known and call.ticket in listed:
                assert heard is not None
                known = (heard.times, heard.at) == (call.times, call.at)
            if not known:
                self._take(call, snapshot.position, max(call.at, lost_at))

    def _take(self, call: Call, position: int, since: datetime) -> None:
        """Let a call wait to be said."""
        if self._heard is None:
            self._heard = {}
        self._heard[call.window] = call
        job = Job(call=call, position=position, since=since)
        if self._repeat:
            repeat, self._repeat = self._repeat, None
            self._skip(repeat, "a newer call waits")
        for place, earlier in enumerate(self.waiting):
            if earlier.call.ticket == call.ticket:
                self._skip(earlier, "called again")
                self.waiting[place] = job
                break
        else:
            self.waiting.append(job)
        if len(self.waiting) > WAITING_MAX:
            self._skip(self.waiting.popleft(), "too many calls wait")
        self._woken.set()

    def _drop_untrue(self, strips: Iterable[WindowStrip]) -> None:
        """Drop what is no longer so by what the windows show now."""
        now = {strip.window: strip for strip in strips}

        def untrue(job: Job) -> str:
            strip = now.get(job.call.window)
            if strip is None:
                return ""
            if strip.ticket != job.call.ticket:
                return "over"
            return "" if strip.state == "called" else "started"

        for job in tuple(self.waiting):
            if why := untrue(job):
                self.waiting.remove(job)
                self._skip(job, why)
        if self._repeat and (why := untrue(self._repeat)):
            repeat, self._repeat = self._repeat, None
            self._skip(repeat, why)
        if self._saying and (why := untrue(self._saying)):
            saying, self._saying = self._saying, None
            self._skip(saying, why)

    def _skip(self, job: Job, why: str) -> None:
        skipped = self._announcement(job)
        self._tell(msgspec.structs.replace(skipped, event="skipped", outcome=why))

    def _tell(self, announcement: Announcement) -> None:
        logger.info("%s", msgspec.json.encode(announcement).decode())
        if announcement.event != "started":
            try:
                self._output.note(announcement)
            except OSError as error:
                logger.warning("The announcement is not noted: %s", error)
        if self._on_event:
            self._on_event(announcement)

    def _announcement(self, job: Job, duration_ms: int = 0) -> Announcement:
        called = job.call.ticket, job.call.window, self._lang, job.call.times
        return Announcement(
            position=job.position,
            ticket=job.call.ticket,
            window=job.call.window,
            sentence=wording.call(*called),
            spoken=wording.spoken(*called),
            repeat=job.repeat,
            duration_ms=duration_ms,
        )
