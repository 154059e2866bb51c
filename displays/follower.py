"""Following the hall's screen frames over the port, for ever.

The voice and the LED strips are followers, like the browser page. The signal may go
at any moment; a follower says so, keeps trying, and begins again with a snapshot, so
that it needs no memory of what it missed.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import get_args
from urllib.parse import quote, urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    WebSocketException,
)

from displays.frames import CallFrame, ChangeFrame, Snapshot
from floor.refusals import Unusable

# The largest right frame is the snapshot of a hall with 2,000 items and 500 windows,
# some 500 kB.
FRAME_BYTES_MAX = 1_048_576
# Retries begin soon, since most losses are a restart of the hall, and end at a pace
# that 300 displays can keep up without being felt.
RETRY_S_MIN = 0.2
RETRY_S_MAX = 5.0
# A hall that takes the call but says nothing for so long has hung.
ANSWER_S_MAX = 5
# A cable that is pulled out says nothing; this notices within 10 s and costs 0.03 % of
# the hall's processor for each display.
PING_S = 5

logger = logging.getLogger(__name__)


class Lost(msgspec.Struct, frozen=True):
    """The signal is lost (信号中断); a snapshot will follow when it is back.

    Attributes:
        why: for the operator's log.
        not_paired: the hall is there but does not let this device in (设备未授权).
    """

    why: str
    not_paired: bool = False


#: What a follower is given; heartbeats are for those who show whether they are live.
Shown = Snapshot | CallFrame | ChangeFrame


class _Tag(msgspec.Struct):
    frame: str = ""


class _Garbled(Exception):
    """The hall sent something that is not a frame."""


_DECODER: msgspec.json.Decoder[Shown] = msgspec.json.Decoder(Shown)
_TAGS = {kind.__struct_config__.tag for kind in get_args(Shown)}


async def follow(url: str, name: str) -> AsyncGenerator[Shown | Lost, None]:
    """All frames for a screen, from a snapshot on, without repeats, until cancelled.

    `Lost` comes once each time the signal goes, and when the hall turns out to be
    there but not to let this device in; what follows is a snapshot that replaces
    everything. Close it when done (`aclosing`).

    Args:
        url: of the hall, `http://127.0.0.1:8000`; ws, wss and https will do.
        name: by which the hall knows this screen.

    Raises:
        Unusable: the URL is none.
    """
    address = screen_address(url, name)
    retry_s = RETRY_S_MIN
    lost: Lost | None = None
    while True:
        try:
            async with aclosing(_one_connection(address)) as connection:
                async for frame in connection:
                    if lost:
                        logger.info(
                            "信号恢复 (the signal is back), position %d", frame.position
                        )
                    lost, retry_s = None, RETRY_S_MIN
                    yield frame
        except (OSError, TimeoutError, WebSocketException, _Garbled) as error:
            now = Lost(_why(error), _not_paired(error))
            if lost is None or now.not_paired != lost.not_paired:
                logger.warning("信号中断 (no signal): %s", now.why)
                yield now
            lost = now
        # Spread out, or all displays of a hall would come back at the same moment.
        await asyncio.sleep(retry_s * random.uniform(0.5, 1))
        retry_s = min(retry_s * 2, RETRY_S_MAX)


def screen_address(url: str, name: str) -> str:
    """The websocket address of a screen's frames.

    Raises:
        Unusable: the URL is none.
    """
    parts = urlsplit(url)
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts.scheme not in schemes or not parts.hostname:
        raise Unusable(
            f"“{url}”不是大厅地址，应如 http://127.0.0.1:8700",
            f"{url!r} is no address of a hall; it looks like http://127.0.0.1:8700",
        )
    base = f"{schemes[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}"
    return f"{base}/ws/screen/{quote(name, safe='')}"


async def _one_connection(address: str) -> AsyncGenerator[Shown, None]:
    """Frames until the connection ends, which always is an exception."""
    async with connect(
        address,
        max_size=FRAME_BYTES_MAX,
        compression=None,  # Four times the memory for nothing on a LAN.
        proxy=None,  # The hall is in the house.
        open_timeout=ANSWER_S_MAX,
        ping_interval=PING_S,
        ping_timeout=PING_S,
        close_timeout=1,
    ) as connection:
        async with asyncio.timeout(ANSWER_S_MAX):
            first = await _next_frame(connection)
        if not isinstance(first, Snapshot):
            raise _Garbled("The first frame was no snapshot.")
        position = first.position
        yield first
        while True:
            frame = await _next_frame(connection)
            # A snapshot replaces everything, also when a new day begins without a
            # fact of its own and the position is still the old one.
            if isinstance(frame, Snapshot) or frame.position > position:
                position = frame.position
                yield frame


async def _next_frame(connection: ClientConnection) -> Shown:
    while True:
        text = await connection.recv()
        try:
            tag = msgspec.json.decode(text, type=_Tag).frame
            # Heartbeats and frames of a later release are for others.
            if tag in _TAGS:
                return _DECODER.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _Garbled(f"Not a frame: {error}") from None


def _not_paired(error: Exception) -> bool:
    match error:
        case InvalidStatus():
            return error.response.status_code in (401, 403)
        case ConnectionClosed():
            return error.rcvd is not None and error.rcvd.code == 1008
    return False


def _why(error: Exception) -> str:
    if _not_paired(error):
        return "The hall does not know this device (设备未授权)."
    # Addresses and port numbers are the same each time; the class says what it was.
    return str(error) or type(error).__name__
