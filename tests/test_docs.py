"""Every command in a document runs, as it stands there."""

import contextlib
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from database import Server
from floor.log import Database, migrate

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = ".venv/bin/python"
WAIT_S = 40
DATA = ROOT.parent / "shared" / "data"
LIVE = {"caller", "led", "voice", "tail"}  # Followers; they run until stopped.
OWN = {"serve", "replay"}  # These serve a port of their own until stopped.


def commands() -> list[str]:
    """The lines of every `sh` block, each once, in order."""
    lines: list[str] = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.S):
            lines += [line for line in block.splitlines() if line.strip()]
    return list(dict.fromkeys(lines))


COMMANDS = commands()
DATABASE = "postgresql://jiaohao@db.example/jiaohao"  # Stands for a real one here.


def words_of(command: str) -> list[str]:
    """The command as it is run here: this interpreter, and paths from the checkout."""
    words = shlex.split(command)
    if words[0] == PYTHON:
        words[0] = sys.executable
    ours = ("main.py", "floor/", "tests/")
    return [str(ROOT / w) if any(it in w for it in ours) else w for w in words]


def kind_of(command: str) -> str:
    words = shlex.split(command)
    if words[0] == "make":
        return "make"
    if words[1:2] == ["main.py"]:
        name = words[2]
        return "live" if name in LIVE else "own" if name in OWN else "once"
    return "once"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the documents' commands run one after the other."""
    return tmp_path_factory.mktemp("docs")


@pytest.fixture(scope="module")
def address(postgres: Server) -> str:
    """A real database for the one that the documents name."""
    return postgres.database().url


@pytest.fixture(scope="module")
def env(place: Path) -> dict[str, str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return {
        **os.environ,
        "JIAOHAO_LOG": str(place / "events.db"),
        "JIAOHAO_PORT": str(port),
        "JIAOHAO_URL": f"http://127.0.0.1:{port}",
        "HOME": str(place),
        "TERM": "xterm-256color",
    }


@pytest.fixture(scope="module")
def hall(place: Path, env: dict[str, str]) -> Iterator[str]:
    """The hall of the tour, served by the tour's own command."""
    serve = next(c for c in COMMANDS if " main.py serve" in c)
    with started(words_of(serve), place, env) as running:
        wait_for_http(env["JIAOHAO_URL"], running)
        # The first visitor: A001, whom the documents ask about.
        httpx.post(f"{env['JIAOHAO_URL']}/api/tickets", json={"item": "zonghe"})
        yield env["JIAOHAO_URL"]


@contextlib.contextmanager
def started(
    words: list[str], place: Path, env: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """A program on a terminal of its own, ended by Ctrl-C."""
    ours, its = pty.openpty()
    running = subprocess.Popen(
        words, cwd=place, env=env, stdin=its, stdout=its, stderr=its,
        start_new_session=True,
    )  # fmt: skip
    os.close(its)
    os.set_blocking(ours, False)
    running.terminal = ours  # type: ignore[attr-defined]
    try:
        yield running
    finally:
        running.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(5)
        if running.poll() is None:
            running.kill()
            running.wait(5)
        os.close(ours)


def seen(running: "subprocess.Popen[bytes]", pattern: str) -> str:
    """What the program wrote until a pattern came."""
    text = b""
    for _ in range(WAIT_S * 20):
        with contextlib.suppress(OSError):
            text += os.read(running.terminal, 65_536)  # type: ignore[attr-defined]
        if re.search(pattern, text.decode("utf-8", "replace")):
            return text.decode("utf-8", "replace")
        assert running.poll() is None, text.decode("utf-8", "replace")
        time.sleep(0.05)
    raise AssertionError(f"{pattern!r} never came: {text.decode('utf-8', 'replace')}")


def free_ports(count: int) -> int:
    """The first of some ports in a row that nobody has."""
    for _ in range(100):
        with contextlib.ExitStack() as taken, contextlib.suppress(OSError):
            first = taken.enter_context(socket.create_server(("127.0.0.1", 0)))
            port: int = first.getsockname()[1]
            for further in range(port + 1, port + count):
                taken.enter_context(socket.create_server(("127.0.0.1", further)))
            return port
    raise AssertionError("There are no free ports.")


def wait_for_http(url: str, running: "subprocess.Popen[bytes]") -> None:
    for _ in range(WAIT_S * 20):
        assert running.poll() is None, "The server ended."
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{url}/api/hall")
            return
        time.sleep(0.05)
    raise AssertionError("The server did not start.")


def test_the_two_commands_come_first() -> None:
    assert COMMANDS[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("command", [c for c in COMMANDS if kind_of(c) == "make"])
def test_make_has_the_target(command: str) -> None:
    """Running them here would run this test again; make itself reads the recipe."""
    done = subprocess.run(
        [*shlex.split(command), "-n"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert ".venv" in done.stdout


SEEN = {
    "caller": "3号窗口",
    "led": "欢迎光临|未开窗",
    "voice": "",
    "tail": "CataloguePublished",
}


@pytest.mark.parametrize("command", [c for c in COMMANDS if kind_of(c) == "live"])
def test_a_follower_runs(
    command: str, hall: str, place: Path, env: dict[str, str]
) -> None:
    name = shlex.split(command)[2]
    with started(words_of(command), place, env) as running:
        if SEEN[name]:
            seen(running, SEEN[name])
            return
        time.sleep(2)  # A voice says nothing of what was called before it came.
        with httpx.Client(base_url=hall) as http:
            http.post("/api/tickets", json={"item": "zonghe"})
            http.post("/api/windows/1/open", json={"clerk": "2001"})
            assert http.post("/api/windows/1/call").status_code == 200
        for _ in range(WAIT_S * 20):
            if list((place / "wav").glob("*.wav")):
                return
            assert running.poll() is None
            time.sleep(0.05)
        raise AssertionError("No WAV was written.")


@pytest.mark.parametrize("command", [c for c in COMMANDS if kind_of(c) == "once"])
def test_a_command_does_its_work(
    command: str, hall: str, place: Path, env: dict[str, str], address: str
) -> None:
    command = command.replace(DATABASE, address)
    if "../shared/data" in command or "bank.db" in command:
        if not DATA.is_dir():
            pytest.skip("The recorded days in shared/data are not beside the checkout.")
        command = command.replace("../shared/data", str(DATA))
    done = subprocess.run(
        words_of(command),
        cwd=place,
        env=env,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout or "VACUUM" in command


@pytest.mark.parametrize("command", [c for c in COMMANDS if " main.py replay" in c])
def test_a_replay_is_served(command: str, place: Path, env: dict[str, str]) -> None:
    if not DATA.is_dir():
        pytest.skip("The recorded days in shared/data are not beside the checkout.")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with started(words_of(command), place, {**env, "JIAOHAO_PORT": port}) as running:
        wait_for_http(f"http://127.0.0.1:{port}", running)
        seen(running, "回放")


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if " main.py serve" in c and "--log" in c]
)
def test_a_hall_is_served_from_a_database(
    command: str, place: Path, env: dict[str, str], address: str
) -> None:
    """The one after the other: a standby does not wait when nobody has the hall."""
    migrate(Database(address))
    key = ROOT / "hall-1.key"
    ours = not key.exists()
    port = free_ports(1)
    words = words_of(command.replace(DATABASE, address))
    with started(words, place, {**env, "JIAOHAO_PORT": str(port)}) as running:
        wait_for_http(f"http://127.0.0.1:{port}", running)
    if ours:
        key.unlink()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.count("--hall") == 2])
def test_several_halls_are_served(
    command: str, place: Path, env: dict[str, str]
) -> None:
    sample = (ROOT / "floor" / "hall.toml").read_text("utf-8")
    annex = re.sub(r'(?m)^hall = ".*"', 'hall = "annex"', sample)
    (place / "annex.toml").write_text(annex, "utf-8")
    port, log = free_ports(2), str(place / "several.db")
    words = words_of(command)
    env = {**env, "JIAOHAO_PORT": str(port), "JIAOHAO_LOG": log}
    with started(words, place, env) as running:
        for number, hall in enumerate(("hall-1", "annex")):
            url = f"http://127.0.0.1:{port + number}"
            wait_for_http(url, running)
            assert httpx.get(f"{url}/api/hall").json()["hall"] == hall
