"""Key press to the last screen, next to a raw loop of socket sends.

The hall runs in a process of its own, as in a hall. Receivers are plain sockets on one
selector, the same for both, so that the cost of a client library is in neither.
"""

import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec
import pytest
from websockets.sync.client import connect

from figures import show, spread

ROOT = Path(__file__).parent.parent.parent
PRESSES = 60
WAIT_S = 10

RAW = """
import socket, sys
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
screens = int(sys.argv[1])
key, _ = listening.accept()
sockets = [listening.accept()[0] for _ in range(screens)]
for each in sockets:
    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
message = b"x" * int(sys.argv[2])
while key.recv(1):
    for each in sockets:
        each.send(message)
"""


class Screens:
    """Many receiving sockets on one selector."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self._selector = selectors.DefaultSelector()
        self._received = dict.fromkeys(sockets, b"")
        for each in sockets:
            each.setblocking(False)
            self._selector.register(each, selectors.EVENT_READ)

    def close(self) -> None:
        self._selector.close()
        for each in self._received:
            each.close()

    def wait(self, done: "re.Pattern[bytes] | int") -> int:
        """Until every socket has the pattern, or so many bytes; gives the bytes."""
        waiting = set(self._received)
        deadline = time.perf_counter() + WAIT_S
        size = 0
        while waiting:
            assert time.perf_counter() < deadline, "A screen did not get its frame."
            for key, _ in self._selector.select(1):
                each = key.fileobj
                assert isinstance(each, socket.socket)
                got = self._received[each] = self._received[each] + each.recv(65_536)
                size = len(got)
                full = len(got) >= done if isinstance(done, int) else done.search(got)
                if full:
                    waiting.discard(each)
                    self._received[each] = b""
        return size


@contextmanager
def process(*words: str) -> Iterator["subprocess.Popen[str]"]:
    running = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        yield running
    finally:
        running.terminate()
        running.wait(10)
        assert running.stdout is not None
        running.stdout.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def screen(port: int) -> socket.socket:
    """A websocket by hand: the opening handshake, then whatever comes."""
    each = socket.create_connection(("127.0.0.1", port))
    each.sendall(
        b"GET /ws/screen/bench HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n\r\n" % port
    )
    return each


def press_to_screens(tmp_path: Path, screens: int) -> tuple[list[float], int]:
    """Seconds from each key press to the last screen, and the bytes of a frame."""
    port = free_port()
    log = str(tmp_path / f"events-{screens}.db")
    words = ("main.py", "serve", "--dev", "--log", log, "--port", str(port))
    with process(*words), httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        until = time.perf_counter() + WAIT_S
        while True:
            try:
                http.get("/api/hall")
                break
            except httpx.TransportError:
                assert time.perf_counter() < until, "The hall did not start."
                time.sleep(0.05)
        wall = Screens([screen(port) for _ in range(screens)])
        wall.wait(re.compile(rb'"frame":"snapshot"'))
        seconds: list[float] = []
        size = 0
        with (
            closing(wall),
            connect(f"ws://127.0.0.1:{port}/ws/window/1", compression=None) as key,
        ):

            def press(word: str, **words: str) -> int:
                id = str(uuid4())
                message = {"id": id, "command": word, **words}
                key.send(msgspec.json.encode(message).decode())
                while True:
                    answer = msgspec.json.decode(key.recv(WAIT_S))
                    if answer.get("id") == id:
                        return int(answer["position"])

            position = press("open", clerk="c1")
            for _ in range(PRESSES):
                http.post("/api/tickets", json={"item": "zonghe"})
                position += 1
                wall.wait(re.compile(rb'"position":%d\b' % position))
                frame = re.compile(rb'"position":%d\b.*\}' % (position + 1))
                start = time.perf_counter()
                key.send(f'{{"id":"{uuid4()}","command":"call"}}')
                size = wall.wait(frame)
                seconds.append(time.perf_counter() - start)
                press("start")
                position = press("finish")
                wall.wait(re.compile(rb'"position":%d\b' % position))
    return seconds, size


def raw_sends(screens: int, size: int) -> list[float]:
    """Seconds from one byte to the last socket, for a loop of plain sends."""
    seconds: list[float] = []
    with process("-c", RAW, str(screens), str(size)) as running:
        assert running.stdout is not None
        port = int(running.stdout.readline())
        key = socket.create_connection(("127.0.0.1", port))
        key.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets = [
            socket.create_connection(("127.0.0.1", port)) for _ in range(screens)
        ]
        wall = Screens(sockets)
        for _ in range(PRESSES):
            start = time.perf_counter()
            key.send(b"k")
            wall.wait(size)
            seconds.append(time.perf_counter() - start)
        wall.close()
        key.close()
    return seconds


@pytest.mark.parametrize("screens", [20, 100])
def test_key_press_to_last_screen(tmp_path: Path, screens: int) -> None:
    """One press: websocket in, rule, commit at FULL, frame out to every screen."""
    seconds, size = press_to_screens(tmp_path, screens)
    limit = raw_sends(screens, size)
    p50, p99 = spread(seconds)
    raw50, raw99 = spread(limit)
    show(
        f"key press to the last of {screens} screens",
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms ({size} bytes each, commit included)",
        f"raw socket sends p50 {raw50:.2f} ms, p99 {raw99:.2f} ms",
        raw50 / p50,
    )
