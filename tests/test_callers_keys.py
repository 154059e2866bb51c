"""Keys, words and letters of the terminal, without a terminal."""

import re
import string
import subprocess
import sys
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

import callers
from callers import keys, labels, letters
from callers.keys import CONFIRM_S, DOUBLE_S, Presses
from callers.labels import Label
from floor import commands, day, effects, facts

# ── Presses ─────────────────────────────────────────────────────────────────


def test_each_press_of_another_step_counts() -> None:
    presses = Presses()
    assert presses.press("call", 10.0) == "do"
    assert presses.press("start", 10.1) == "do"
    assert presses.press("call", 10.2) == "do"


def test_a_key_that_bounces_or_is_held_down_counts_once() -> None:
    presses = Presses()
    held_down = [presses.press("call", 10.0 + tick * 0.03) for tick in range(100)]
    assert held_down == ["do"] + ["double"] * 99
    assert presses.press("call", 10.0 + 99 * 0.03 + DOUBLE_S) == "do"


@pytest.mark.parametrize("word", ["no-show", "close"])
def test_a_dangerous_step_wants_a_second_press(word: str) -> None:
    presses = Presses()
    assert presses.press(word, 10.0) == "confirm"
    assert presses.press(word, 10.0 + DOUBLE_S) == "do"
    assert presses.press(word, 10.0 + 3 * DOUBLE_S) == "confirm"


def test_a_dangerous_key_held_down_never_confirms_itself() -> None:
    presses = Presses()
    held_down = [presses.press("no-show", 10.0 + tick * 0.5) for tick in range(50)]
    assert held_down == ["confirm"] + ["double"] * 49


def test_a_question_left_unanswered_is_forgotten() -> None:
    presses = Presses()
    presses.press("close", 10.0)
    assert presses.asked(10.0 + CONFIRM_S - 0.01) == "close"
    assert presses.asked(10.0 + CONFIRM_S) == ""
    assert presses.press("close", 10.0 + CONFIRM_S) == "confirm"


def test_enter_confirms_once_and_only_what_was_asked() -> None:
    presses = Presses()
    assert presses.confirm(9.0) == ""
    presses.press("no-show", 10.0)
    assert presses.confirm(10.2) == "no-show"
    assert presses.confirm(10.3) == ""


def test_another_step_withdraws_the_question() -> None:
    presses = Presses()
    presses.press("no-show", 10.0)
    presses.press("start", 10.5)
    assert presses.confirm(10.6) == ""
    assert presses.press("close", 11.0) == "confirm"
    assert presses.press("no-show", 12.0) == "confirm"


# ── Keys ────────────────────────────────────────────────────────────────────


def test_every_step_is_a_command_of_the_hall() -> None:
    words = {key.word for key in keys.STEPS} | {"resume"}
    # These need a ticket, window or item to be named, or have no key yet; they are
    # asked for over the JSON door.
    without_key = {"call-ticket", "hold", "move", "return", "transfer", "undo"}
    assert words == commands.WINDOW_COMMANDS.keys() - without_key


def test_no_key_does_two_things() -> None:
    all_keys = [name for key in (*keys.STEPS, *keys.OWN) for name in key.keys]
    assert len(all_keys) == len(set(all_keys))
    assert "enter" not in all_keys


def test_every_step_has_a_letter_a_digit_and_a_function_key() -> None:
    for key in keys.STEPS:
        letter, digit, function = key.keys
        assert letter in string.ascii_lowercase
        assert digit in string.digits
        assert function == f"f{int(digit) or 10}"


# ── Words ───────────────────────────────────────────────────────────────────


def all_labels() -> dict[str, Label]:
    return {
        name: label for name, label in vars(labels).items() if isinstance(label, Label)
    }


@pytest.mark.parametrize("name", all_labels())
def test_every_label_is_in_both_languages(name: str) -> None:
    zh, en = all_labels()[name]
    blanks = [{part[1] for part in Formatter().parse(text)} for text in (zh, en)]
    assert blanks[0] - {None} == blanks[1] - {None}
    if name == "KIND_NORMAL":
        assert (zh, en) == ("", "")  # Said of nobody.
    elif name == "LANGUAGE":
        assert (zh, en) == ("English", "中文")  # Each names the other.
    else:
        assert re.search("[一-鿿]", zh)
        assert re.search("[A-Za-z]", en)
        assert not re.search("[一-鿿，。：；？！（）]", en)
        assert not re.search("[,;?!()]", zh)


def test_no_clerk_reads_a_word_that_is_not_a_label() -> None:
    for path in Path(callers.__file__).parent.glob("*.py"):
        if path.name in ("app.py", "panels.py", "dialogs.py"):
            text = path.read_text(encoding="utf-8")
            assert not re.search("[一-鿿]", text), path.name


def test_every_answer_of_the_hall_has_a_sentence() -> None:
    shapes = commands.WINDOW_COMMANDS.values()
    topics = {effects.EFFECTS[shape].topic.__name__ for shape in shapes}
    assert labels.DID.keys() == topics


def test_every_kind_of_ticket_and_state_of_a_window_has_a_word() -> None:
    assert set(labels.KIND) == set(get_args(facts.Kind))
    assert set(labels.STATE) == set(get_args(day.WindowState))
    for key in keys.STEPS:
        assert set(key.states) <= set(labels.STATE)


def test_a_label_within_a_label_is_in_its_language() -> None:
    filled = labels.NOT_SENT.fill(step=labels.CALL)
    assert filled.zh.startswith("“叫号”没有发送")
    assert filled.en.startswith("Call was not sent")


# ── Letters ─────────────────────────────────────────────────────────────────


def test_the_font_has_every_character_of_a_ticket() -> None:
    assert letters.GLYPHS.keys() == set(string.ascii_uppercase + string.digits)
    for letter, glyph in letters.GLYPHS.items():
        assert len(glyph) == letters.ROWS, letter
        assert len({len(row) for row in glyph}) == 1, letter
        assert set("".join(glyph)) == {"#", "."}, letter


def test_no_two_characters_look_the_same() -> None:
    assert len(set(letters.GLYPHS.values())) == 36


def test_a_number_is_drawn_letter_by_letter() -> None:
    assert letters.rows("L7") == (
        "#.....#####",
        "#.........#",
        "#........#.",
        "#.......#..",
        "#####...#..",
    )
    assert letters.width("L7") == 11
    assert letters.width("") == 0


def test_a_character_that_is_not_in_the_font_leaves_a_gap() -> None:
    assert letters.rows("-") == (".....",) * 5


# ── Start-up ────────────────────────────────────────────────────────────────


def test_the_terminal_brings_no_part_of_the_server_along() -> None:
    """Start-up is felt each morning, and a window's machine may be an old one."""
    heavy = ("starlette", "uvicorn", "sqlite3", "eventsourcing", "floor.door", "httpx")
    script = f"import callers.app, sys; print([m for m in {heavy} if m in sys.modules])"
    root = Path(callers.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr
