"""Several halls, several processes, one log: who serves what, and who takes over."""

import asyncio
import os
import re
import signal
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from click.testing import CliRunner

import main as front
from floor.facts import Entry
from floor.log import Database, Place, halls, read
from timeline import SAMPLE

ROOT = Path(__file__).parent.parent
WAIT_S = 40


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return tmp_path / "events.db"
    made: Database = request.getfixturevalue("database")
    return made


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[Path]]:
    """The catalogues of two halls, with names that are nobody else's."""
    sample = SAMPLE.read_text(encoding="utf-8")
    made = []
    for hall in (f"one-{uuid4().hex[:8]}", f"two-{uuid4().hex[:8]}"):
        text, changed = re.subn(r'(?m)^hall = ".*"$', f'hall = "{hall}"', sample)
        assert changed == 1
        made.append(tmp_path / f"{hall}.toml")
        made[-1].write_text(text, encoding="utf-8")
    yield made
    for file in made:  # The secrets of halls in a database lie beside main.py.
        ROOT.joinpath(f"{file.stem}.key").unlink(missing_ok=True)


class Hall:
    """`main.py serve` in a process of its own."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.urls: list[str] = []

    async def serves(self, count: int = 1) -> "Hall":
        """Wait until it says that it serves so many halls."""
        assert self.process.stdout is not None
        while len(self.urls) < count:
            line = await asyncio.wait_for(self.process.stdout.readline(), WAIT_S)
            assert line, await self.said()
            self.urls.append(line.decode().split()[2].rstrip("/"))
        return self

    async def said(self) -> str:
        """What it wrote to stderr until its end."""
        assert self.process.stderr is not None
        return (await asyncio.wait_for(self.process.stderr.read(), WAIT_S)).decode()

    async def ends(self) -> tuple[int, str]:
        said = await self.said()
        return await asyncio.wait_for(self.process.wait(), WAIT_S), said


@asynccontextmanager
async def serving(place: Place, *words: object) -> AsyncIterator[Hall]:
    address = place.url if isinstance(place, Database) else str(place)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "main.py", "serve", "--dev", "--port", "0", *map(str, words),
        stdout=PIPE,
        stderr=PIPE,
        cwd=ROOT,
        env={**os.environ, "JIAOHAO_LOG": address, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        yield Hall(process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), WAIT_S)


@asynccontextmanager
async def standing_by(first: Hall, place: Place, *words: object) -> AsyncIterator[Hall]:
    """A standby that waits, beside a first one that serves."""
    await first.serves()
    async with serving(place, *words, "--standby") as second:
        assert second.process.stderr is not None
        said = await asyncio.wait_for(second.process.stderr.readline(), WAIT_S)
        assert "备用进程等待接管" in said.decode()
        yield second


async def take(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WAIT_S) as http:
        answer = await http.post("/api/tickets", json={"item": "zonghe"})
    assert answer.status_code == 201, answer.text
    taken: dict[str, Any] = answer.json()
    return taken


async def hall_at(url: str) -> str:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WAIT_S) as http:
        return str((await http.get("/api/hall")).json()["hall"])


def tickets(place: Place, hall: str) -> list[str]:
    return [e.fact.ticket for e in read(place, hall=hall) if e.topic == "TicketTaken"]  # type: ignore[attr-defined]


async def test_two_halls_in_one_process(place: Place, files: list[Path]) -> None:
    one, two = (file.stem for file in files)
    async with serving(place, "--hall", files[0], "--hall", files[1]) as hall:
        await hall.serves(2)
        urls = {await hall_at(url): url for url in hall.urls}
        assert set(urls) == {one, two}
        both = [take(urls[name]) for _ in range(30) for name in (one, two)]
        taken = await asyncio.gather(*both)
    numbers = [f"A{n:03d}" for n in range(1, 31)]
    assert sorted(t["ticket"] for t in taken) == sorted(numbers * 2)
    for name in (one, two):
        assert tickets(place, name) == numbers
        positions = [entry.position for entry in read(place, hall=name)]
        assert positions == list(range(1, 32))
    assert halls(place) == [one, two]


async def test_two_processes_on_one_database(
    database: Database, files: list[Path]
) -> None:
    async with (
        serving(database, "--hall", files[0]) as first,
        serving(database, "--hall", files[1]) as second,
    ):
        await asyncio.gather(first.serves(), second.serves())
        (one,), (two,) = first.urls, second.urls
        await asyncio.gather(*(take(url) for _ in range(20) for url in (one, two)))
        async with serving(database, "--hall", files[0]) as third:
            code, said = await third.ends()
        assert code == 2
        assert f"大厅 {files[0].stem} 正由另一个进程写入" in said
        assert "Traceback" not in said
        await take(one)
    assert len(tickets(database, files[0].stem)) == 21
    assert len(tickets(database, files[1].stem)) == 20


async def test_a_second_process_on_one_file_is_refused_whatever_its_hall(
    tmp_path: Path, files: list[Path]
) -> None:
    place = tmp_path / "events.db"
    async with serving(place, "--hall", files[0]) as first:
        await first.serves()
        async with serving(place, "--hall", files[1]) as second:
            code, said = await second.ends()
        assert code == 2
        assert f"pid {first.process.pid}" in said


async def test_a_standby_takes_over_with_all_that_was_acknowledged(
    place: Place, files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--hall", files[0])
    acknowledged: list[str] = []
    busy = asyncio.Event()

    async def visitors(url: str) -> None:
        with suppress(httpx.TransportError):
            while True:
                acknowledged.append((await take(url))["ticket"])
                if len(acknowledged) > 40:
                    busy.set()

    async with (
        serving(place, *options) as first,
        standing_by(first, place, *options) as second,
    ):
        crowd = [asyncio.create_task(visitors(first.urls[0])) for _ in range(4)]
        await asyncio.wait_for(busy.wait(), WAIT_S)
        began = time.monotonic()
        first.process.kill()
        await second.serves()
        after = await take(second.urls[0])
        took_s = time.monotonic() - began
        await asyncio.gather(*crowd)
    with capsys.disabled():
        kind = "SQLite" if isinstance(place, Path) else "PostgreSQL"
        print(f"\n{kind}: the standby answered {took_s:.2f} s after kill -9")
    assert took_s < 10
    kept = tickets(place, files[0].stem)
    assert set(acknowledged) < set(kept)
    assert after["ticket"] == kept[-1]
    assert kept == [f"A{n:03d}" for n in range(1, len(kept) + 1)]
    positions = [entry.position for entry in read(place, hall=files[0].stem)]
    assert positions == list(range(1, len(positions) + 1))


async def test_a_primary_whose_lock_is_taken_ends_with_a_sentence(
    database: Database, files: list[Path]
) -> None:
    """The connection is cut by somebody at the server; the standby is quicker."""
    options = ("--hall", files[0])
    async with (
        serving(database, *options) as first,
        standing_by(first, database, *options) as second,
    ):
        await take(first.urls[0])
        # Asleep, or it might see by chance what happened, and be the quicker one.
        first.process.send_signal(signal.SIGSTOP)
        with psycopg.connect(database.url, autocommit=True) as server:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN "
                "(SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
            )
        await second.serves()
        first.process.send_signal(signal.SIGCONT)
        async with httpx.AsyncClient(base_url=first.urls[0], trust_env=False) as http:
            with suppress(httpx.TransportError):  # It may have noticed by itself.
                answer = await http.post("/api/tickets", json=ZONGHE)
                assert answer.status_code == 503
        code, said = await first.ends()
        assert code == 3
        assert "已由另一个进程接管，本程序已停止" in said
        assert (await take(second.urls[0]))["ticket"] == "A002"
    assert tickets(database, files[0].stem) == ["A001", "A002"]


def test_the_same_hall_twice_is_refused(tmp_path: Path, files: list[Path]) -> None:
    path = tmp_path / "events.db"
    words = ["serve", "--dev", "--log", str(path)]
    done = CliRunner().invoke(
        front.main, [*words, "--hall", str(files[0]), "--hall", str(files[0])]
    )
    assert done.exit_code == 2
    assert files[0].stem in done.output
    assert re.search(r"[\u4e00-\u9fff]", done.output)
    assert not path.exists()


def test_ports_in_a_row_end_at_the_last_port(tmp_path: Path, files: list[Path]) -> None:
    words = ["serve", "--dev", "--log", str(tmp_path / "events.db"), "--port", "65535"]
    done = CliRunner().invoke(
        front.main, [*words, "--hall", str(files[0]), "--hall", str(files[1])]
    )
    assert done.exit_code == 2
    assert "65536" in done.output


SMALL_FILES = """
import os, resource, sys
bytes = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, bytes))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


async def test_a_disk_that_fails_ends_the_process(tmp_path: Path) -> None:
    """Writing fails for real, with an error that is neither full nor locked."""
    path = tmp_path / "events.db"
    words = ("main.py", "serve", "--dev", "--port", "0", "--log", str(path))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SMALL_FILES, "300000", *words,
        stdout=PIPE, stderr=PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    acknowledged: list[str] = []
    try:
        hall = await Hall(process).serves()
        for _ in range(5_000):
            async with httpx.AsyncClient(
                base_url=hall.urls[0], trust_env=False
            ) as http:
                answers = await asyncio.gather(
                    *(http.post("/api/tickets", json=ZONGHE) for _ in range(10)),
                    return_exceptions=True,
                )
            good = [a for a in answers if isinstance(a, httpx.Response)]
            acknowledged += [a.json()["ticket"] for a in good if a.status_code == 201]
            if len(good) < 10 or any(a.status_code == 503 for a in good):
                break
        code, said = await hall.ends()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert code == 3
    assert "请检查磁盘后重新启动" in said
    assert "disk I/O error" in said
    assert len(acknowledged) > 10
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    entries: list[Entry] = list(read(path))
    assert set(acknowledged) <= set(tickets(path, "hall-1"))
    assert [e.position for e in entries] == list(range(1, len(entries) + 1))


ZONGHE = {"item": "zonghe"}
