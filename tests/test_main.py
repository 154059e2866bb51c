"""The front door: commands have help, say what is wrong, and the demo ends well."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

import main as front
from floor import log
from floor.catalogue import load
from floor.day import days
from timeline import SAMPLE, FloorDay

ROOT = Path(__file__).parent.parent
DEMO_S_MAX = 100


def says(*words: str) -> tuple[int, str]:
    """Exit code and everything that a command wrote."""
    done = CliRunner().invoke(front.main, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.exit_code, done.output


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A log with one short morning."""
    played = FloorDay().play(
        """
        09:00:00 opens 1
        09:00:10 takes zonghe
        09:01:00 calls 1
        09:01:30 starts 1
        09:09:00 finishes 1
        09:10:00 closes-hall
        """
    )
    path = tmp_path / "events.db"
    with log.Log(path) as held:
        held.append(played.entries)
    return path


@pytest.mark.parametrize("command", sorted(front.main.commands))
def test_every_command_has_help_in_both_languages(command: str) -> None:
    code, text = says(command, "--help")
    assert code == 0
    assert re.search(r"[\u4e00-\u9fff]", text)
    assert re.search(r"[A-Za-z]{4}", text)


def test_no_sign_in_means_this_machine_only(tmp_path: Path) -> None:
    path = str(tmp_path / "events.db")
    code, text = says("serve", "--log", path)
    assert (code, "--dev" in text) == (2, True)
    for host in ("0.0.0.0", "192.168.1.5", "::", "example.com"):
        code, text = says("serve", "--dev", "--log", path, "--host", host)
        assert code == 2
        assert "loopback" in text
    assert not (tmp_path / "events.db").exists()


def test_a_bad_catalogue_opens_no_hall(tmp_path: Path) -> None:
    bad = tmp_path / "hall.toml"
    bad.write_text('hall = "x"\n', encoding="utf-8")
    path = tmp_path / "events.db"
    code, text = says("serve", "--dev", "--log", str(path), "--hall", str(bad))
    assert code == 2
    assert "目录" in text
    assert "name" in text
    assert not path.exists()


def test_a_log_in_use_names_its_holder(recorded: Path) -> None:
    with log.Log(recorded):
        code, text = says("serve", "--dev", "--log", str(recorded), "--port", "0")
    assert code == 2
    assert "pid" in text


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_score_in_each_form(recorded: Path, form: str) -> None:
    code, text = says("score", "--log", str(recorded), "--format", form)
    assert code == 0
    assert "D1" in text
    if form == "json":
        first = json.loads(text)["windows"][0]
        assert first["window"] == "1"
        assert isinstance(first["total"], int)


@pytest.mark.parametrize(
    "as_of", ["yesterday", "2026-13-01", "2020-01-01", "\x00", "9" * 99]
)
def test_an_instant_that_cannot_be_gets_a_sentence(recorded: Path, as_of: str) -> None:
    code, text = says("score", "--log", str(recorded), "--as-of", as_of)
    assert code == 2
    assert re.search(r"[\u4e00-\u9fff]", text)
    assert "Traceback" not in text


def test_a_score_as_of_an_earlier_instant_knows_no_more(recorded: Path) -> None:
    def d1(*words: str) -> dict[str, object]:
        _, text = says("score", "--log", str(recorded), "--format", "json", *words)
        items = json.loads(text)["windows"][0]["items"]
        return dict(next(item for item in items if item["code"] == "D1"))

    assert d1("--as-of", "2026-11-23T09:05:00")["status"] == "not_applicable"
    assert d1()["points"] == 48


@pytest.mark.parametrize(
    "words",
    [
        ("score", "--log", "{missing}"),
        ("digest", "--log", "{missing}"),
        ("replay", "--log", "{missing}"),
        ("score", "--log", "{garbage}"),
        ("digest", "--log", "{garbage}"),
        ("score", "--log", "{log}", "--rulebook", "{garbage}"),
        ("import", "{missing}", "--map", "{map}", "--log", "{new}"),
        ("import", "{garbage}", "--map", "{map}", "--log", "{new}"),
        ("import", "{garbage}", "--map", "{garbage}", "--log", "{new}"),
        ("import", "{garbage}", "--map", "{map}", "--log", "{log}"),
        ("replay", "--log", "{log}", "--day", "1999-01-01"),
    ],
)
def test_files_that_cannot_be_used_get_a_sentence(
    recorded: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\x00\xff not a file of ours \x1b[2J")
    places = {
        "missing": tmp_path / "missing",
        "garbage": garbage,
        "log": recorded,
        "new": tmp_path / "new.db",
        "map": ROOT / "floor" / "maps" / "bank.toml",
    }
    before = recorded.read_bytes()
    code, text = says(*(word.format(**places) for word in words))
    assert code == 2, text
    assert re.search(r"[\u4e00-\u9fff]", text)
    assert "Traceback" not in text
    assert recorded.read_bytes() == before
    assert not (tmp_path / "new.db").exists()


def test_a_followers_address_is_checked() -> None:
    for command in (("led",), ("voice",), ("caller", "--window", "1")):
        code, text = says(*command, "--url", "gopher://nowhere")
        assert code == 2, command
        assert re.search(r"[\u4e00-\u9fff]", text)


def test_the_clock_is_aware_and_utc() -> None:
    assert front.now().tzinfo is UTC
    assert isinstance(front.now(), datetime)


@pytest.mark.timeout(DEMO_S_MAX + 20)
def test_the_demo_plays_a_whole_day_and_ends_with_its_assessment() -> None:
    done = subprocess.run(
        [sys.executable, "main.py", "demo", "--once", "--speed", "1200"],
        cwd=ROOT, capture_output=True, text=True, timeout=DEMO_S_MAX,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    day = summary["day"]
    assert day["taken"] > 200
    assert summary["wav_files"] > 50
    (state,) = days(log.read(ROOT / "demo" / "events.db"))
    ends = [ticket.state for ticket in state.tickets.values()]
    assert len(ends) == day["taken"]
    assert {"served", "no_show", "abandoned"} == set(ends), "All were seen to."
    assert state.closed
    windows = json.loads((ROOT / "demo" / "score.json").read_text("utf-8"))["windows"]
    assert [w["window"] for w in windows] == [w.id for w in load(SAMPLE).windows]
    assert all(0 < w["total"] <= w["points_max"] <= 1000 for w in windows)
