"""Which key does what, and which presses count.

Each step has a letter, a digit and a function key: digits and function keys work
while a Chinese input method is on, letters where F1 or F10 belongs to the terminal.
"""

from typing import Literal

import msgspec

from callers import labels
from callers.labels import Label
from floor.day import WindowState

# A key that bounces or is held down must not call two visitors.
DOUBLE_S = 1.0
CONFIRM_S = 3.0


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the clerk's work, or of the terminal's.

    keys: the letter first, then the digit and the function key, as Textual names them.
    states: of the window in which the step makes sense; the hall decides in the end.
    confirm: the question before a step that cannot be taken back.
    """

    word: str
    keys: tuple[str, ...]
    label: Label
    help: Label
    states: tuple[WindowState, ...] = ()
    confirm: Label | None = None

    @property
    def shown(self) -> str:
        """The digit and the letter, as they stand in the line of keys."""
        letter = NAMES.get(self.keys[0], self.keys[0].upper())
        digit = next((key for key in self.keys if key.isdigit()), "")
        return f"{digit} {letter}".lstrip()

    @property
    def all_shown(self) -> str:
        """All keys of the step, for the page of help."""
        return "  ".join(NAMES.get(key, key.upper()) for key in self.keys)


NAMES = {"question_mark": "?", "ctrl+q": "Ctrl+Q"}

STEPS: tuple[Key, ...] = (
    Key(
        word="call",
        keys=("c", "2", "f2"),
        label=labels.CALL,
        help=labels.CALL_HELP,
        states=("free",),
    ),
    Key(
        word="recall",
        keys=("r", "3", "f3"),
        label=labels.RECALL,
        help=labels.RECALL_HELP,
        states=("called",),
    ),
    Key(
        word="start",
        keys=("s", "4", "f4"),
        label=labels.START,
        help=labels.START_HELP,
        states=("called",),
    ),
    Key(
        word="finish",
        keys=("f", "5", "f5"),
        label=labels.FINISH,
        help=labels.FINISH_HELP,
        states=("serving",),
    ),
    Key(
        word="no-show",
        keys=("n", "6", "f6"),
        label=labels.NO_SHOW,
        help=labels.NO_SHOW_HELP,
        states=("called",),
        confirm=labels.CONFIRM_NO_SHOW,
    ),
    Key(
        word="pause",
        keys=("p", "7", "f7"),
        label=labels.PAUSE,
        help=labels.PAUSE_HELP,
        states=("free", "paused"),
    ),
    Key(
        word="invite",
        keys=("e", "8", "f8"),
        label=labels.INVITE,
        help=labels.INVITE_HELP,
        states=("free", "called", "serving", "paused"),
    ),
    Key(
        word="open",
        keys=("o", "9", "f9"),
        label=labels.OPEN,
        help=labels.OPEN_HELP,
        states=("closed",),
    ),
    Key(
        word="close",
        keys=("x", "0", "f10"),
        label=labels.CLOSE,
        help=labels.CLOSE_HELP,
        states=("free", "paused"),
        confirm=labels.CONFIRM_CLOSE,
    ),
)

#: What the terminal does by itself; these work offline as well.
OWN: tuple[Key, ...] = (
    Key(
        word="language",
        keys=("l",),
        label=labels.LANGUAGE,
        help=labels.LANGUAGE_HELP,
    ),
    Key(
        word="help",
        keys=("question_mark", "1", "f1"),
        label=labels.HELP,
        help=labels.HELP_HELP,
    ),
    Key(word="quit", keys=("ctrl+q",), label=labels.QUIT, help=labels.QUIT_HELP),
)

STEP: dict[str, Key] = {key.word: key for key in STEPS}

Verdict = Literal["do", "double", "confirm"]


class Presses:
    """Decides which presses count: no doubles, and some only when confirmed.

    Instants are of any clock that never goes back, in seconds.
    """

    def __init__(self) -> None:
        self._last = ""
        self._last_at = 0.0
        self._asked = ""
        self._asked_at = 0.0

    def press(self, word: str, at: float) -> Verdict:
        """What to do about a press of this step's key."""
        double = word == self._last and at - self._last_at < DOUBLE_S
        # Also for a double: a key held down must not confirm itself.
        self._last, self._last_at = word, at
        if double:
            return "double"
        if STEP[word].confirm is None or word == self.asked(at):
            self._asked = ""
            return "do"
        self._asked, self._asked_at = word, at
        return "confirm"

    def asked(self, at: float) -> str:
        """The step that waits to be confirmed; empty when none does any more."""
        return self._asked if at - self._asked_at < CONFIRM_S else ""

    def confirm(self, at: float) -> str:
        """The step that Enter confirms, once; empty when none was asked."""
        word, self._asked = self.asked(at), ""
        return word

    def forget(self) -> None:
        """Ask again: what was asked about is no longer in view."""
        self._asked = ""
