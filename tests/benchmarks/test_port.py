"""What the server's processor does for a visit: taken, called, started, finished.

The real `main.py serve` in a process of its own; its processor time is read from
/proc, so that neither the client's work nor a neighbour's is counted.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from websockets.sync.client import connect

from figures import show
from past import write_past
from test_fan_out import WAIT_S, free_port, process

VISITS = int(os.environ.get("BENCH_VISITS", "500"))
WORDS = ("call", "start", "finish")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")

Press = Callable[[str], object]


class Wire:
    """HTTP by hand on one connection, so that the client takes little of a core."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = f"127.0.0.1:{port}".encode()

    def post(self, path: str, **words: str) -> dict[str, object]:
        body = msgspec.json.encode(words)
        self._socket.sendall(
            b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (path.encode(), self._host, len(body), body)
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._socket.recv(65_536)
        head, _, got = head.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(got) < length:
            got += self._socket.recv(65_536)
        answer: dict[str, object] = msgspec.json.decode(got)
        assert "refused" not in answer, answer
        return answer

    def close(self) -> None:
        self._socket.close()


@contextmanager
def serving(log: Path) -> Iterator[tuple[int, int]]:
    """A hall at work on a log, by its process id and its port."""
    port = free_port()
    words = ("main.py", "serve", "--dev", "--log", str(log), "--port", str(port))
    with process(*words) as running:
        until = time.perf_counter() + WAIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.perf_counter() < until, "The hall did not start."
                time.sleep(0.05)
        yield running.pid, port


def processor_s(pid: int) -> float:
    """Seconds of user and system time that a process has had."""
    words = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) * TICK_S


@contextmanager
def over_http(wire: Wire, port: int) -> Iterator[Press]:
    yield lambda word: wire.post(f"/api/windows/1/{word}")


@contextmanager
def over_websocket(wire: Wire, port: int) -> Iterator[Press]:
    with connect(f"ws://127.0.0.1:{port}/ws/window/1", compression=None) as key:

        def press(word: str) -> None:
            key.send(f'{{"id":"{uuid4()}","command":"{word}"}}')
            while b'"say":"done"' not in (got := key.recv(WAIT_S, decode=False)):
                assert b'"say":"refused"' not in got, got

        yield press


@pytest.mark.skipif(not PROC.is_dir(), reason="no /proc here")
@pytest.mark.parametrize("past", [0, 1_000_000])
def test_processor_time_of_a_visit(tmp_path: Path, past: int) -> None:
    """Four commands and their answers, every commit at FULL."""
    log = tmp_path / "events.db"
    write_past(log, past, today=0)
    with serving(log) as (pid, port):
        wire = Wire(port)
        wire.post("/api/windows/1/open", clerk="c1")
        for door in (over_http, over_websocket):
            with door(wire, port) as press:
                visits(wire, press, 50)  # What is done once is done.
                before = processor_s(pid)
                visits(wire, press, VISITS)
                spent_ms = (processor_s(pid) - before) / VISITS * 1000
            show(
                f"{door.__name__.replace('_', ' ')}, {past:,} facts before",
                f"{spent_ms:.2f} ms of processor for a visit of four commands, "
                f"{spent_ms / 4:.2f} ms a command",
                "goal 0.80 ms",
                0.8 / (spent_ms / 4),
            )
        wire.close()


def visits(wire: Wire, press: Press, count: int) -> None:
    for _ in range(count):
        wire.post("/api/tickets", item="zonghe")
        for word in WORDS:
            press(word)
