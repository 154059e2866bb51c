"""The clerk's terminal: one key a step, and every answer as a sentence.

The client tells of boards and answers by messages; only the handlers here change what
is shown, so an answer that comes under a dialog or while the program ends is harmless.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message

from callers import labels
from callers.client import Busy, Offline, Refusal, Unanswered, WindowClient
from callers.dialogs import Help, SignIn, is_clerk
from callers.keys import STEP, STEPS, Presses
from callers.labels import Label, Lang
from callers.messages import Board
from callers.panels import (
    HandPanel,
    KeyLines,
    LinePanel,
    LinkBar,
    Panel,
    SaidPanel,
    Tone,
    TopBar,
    View,
)

SILENCE = Label("", "")
LANGUAGES: tuple[Lang, ...] = ("zh", "en")


class CallerApp(App[None]):
    """A window's terminal; `CallerApp(url, "3").run()`.

    Args:
        url: of the hall, `http://…`.
        window: id of the window.
        clerk: id of the clerk who signs in; asked for when it is none.
        lang: the language at the start.
        monotonic: seconds of a clock that never goes back.

    Raises:
        BadAddress: the url names no server.
    """

    CSS_PATH = "callers.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(",".join((*key.keys, key.keys[0].upper())), f"step('{key.word}')")
            for key in STEPS
        ),
        Binding("l,L", "language"),
        Binding("question_mark,1,f1", "help"),
        Binding("enter", "confirm"),
        Binding("escape", "forget"),
    ]

    class BoardCame(Message):
        """The hall has sent a new board."""

    class LinkTurned(Message):
        """The hall can be reached now, or no longer."""

    class Answered(Message):
        """A press was answered, or was not."""

        def __init__(self, said: Label, tone: Tone, clerk: str = "") -> None:
            super().__init__()
            self.said = said
            self.tone = tone
            self.clerk = clerk

    def __init__(
        self,
        url: str,
        window: str,
        clerk: str = "",
        lang: Lang = "zh",
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._hall = WindowClient(
            url,
            window,
            on_board=lambda _: self.post_message(self.BoardCame()),
            on_link=lambda _: self.post_message(self.LinkTurned()),
        )
        self._clerk = clerk
        self._lang: Lang = lang
        self._monotonic = monotonic
        self._board: Board | None = None
        self._board_at = 0.0
        self._was_online = False
        self._presses = Presses()
        self._said = SILENCE
        self._tone: Tone = "quiet"

    def compose(self) -> ComposeResult:
        top, bar, hand = TopBar(), LinkBar(), HandPanel()
        line, said, keys = LinePanel(), SaidPanel(), KeyLines()
        # Kept, since a query looks only at the screen on top, which may be a dialog.
        self._panels: list[Panel] = [top, bar, hand, line, said, keys]
        yield top
        yield bar
        yield Horizontal(hand, line, id="body")
        yield said
        yield keys

    def on_mount(self) -> None:
        self._main = self.screen
        self._show()
        self.set_interval(1, self._tick)
        self.run_worker(self._hall.run())

    # ── Keys ────────────────────────────────────────────────────────────────

    def action_step(self, word: str) -> None:
        """A key of the clerk's work."""
        at = self._monotonic()
        if self._hall.link != "online":
            self._presses.forget()
            self._say(labels.NOT_SENT.fill(step=STEP[word].label), "refused")
            return
        match self._presses.press(word, at):
            case "do":
                self._do(word)
            case "confirm":
                self._ask(word)
            case "double" if not self._presses.asked(at):
                self._say(labels.DOUBLE, "quiet")

    def action_confirm(self) -> None:
        """Enter: yes, take the step that was asked about."""
        word = self._presses.confirm(self._monotonic())
        if word:
            self._do(word)

    def action_forget(self) -> None:
        """Escape: no."""
        self._presses.forget()
        self._say(SILENCE, "quiet")

    def action_language(self) -> None:
        self._lang = "en" if self._lang == "zh" else "zh"
        self._show()

    def action_help(self) -> None:
        self.push_screen(Help(self._lang))

    def action_help_quit(self) -> None:
        """Ctrl+C, which elsewhere ends a program."""
        self._say(labels.HOW_TO_QUIT, "quiet")

    def _ask(self, word: str) -> None:
        """Ask before a step that cannot be taken back."""
        key, board = STEP[word], self._board
        held = board.in_hand if board else None
        if board and held and board.state not in key.states:
            self._presses.forget()
            self._do(word)  # The hall refuses it anyway, and says why.
        elif key.confirm is not None:
            ticket = held.ticket if held else labels.THIS
            self._say(key.confirm.fill(ticket=ticket), "asks")

    def _do(self, word: str) -> None:
        """Send one step, naming the ticket in view, so that no other is meant."""
        board = self._board
        held = board.in_hand if board else None
        if word == "open":
            self._open()
        elif word == "pause" and board and board.state == "paused":
            self._send("resume")
        elif word in ("recall", "start", "finish", "no-show") and held:
            self._send(word, ticket=held.ticket)
        elif word == "invite" and board and board.last:
            self._send(word, ticket=board.last.ticket)
        else:
            self._send(word)

    def _open(self) -> None:
        if is_clerk(self._clerk):
            self._send("open", clerk=self._clerk)
            return

        def sign_in(clerk: str | None) -> None:
            if clerk:
                self._send("open", clerk=clerk)

        self.push_screen(SignIn(self._hall.window, self._lang), sign_in)

    # ── The hall ────────────────────────────────────────────────────────────

    def _send(self, command: str, **words: str) -> None:
        self.run_worker(self._press(command, words))

    async def _press(self, command: str, words: dict[str, str]) -> None:
        step = labels.RESUME if command == "resume" else STEP[command].label
        clerk = ""
        tone: Tone = "refused"
        try:
            done = await self._hall.say(command, **words)
        except Refusal as refusal:
            zh, en = (refusal.message.get(lang, refusal.code) for lang in LANGUAGES)
            said = Label(zh, en)
        except Offline:
            said = labels.NOT_SENT.fill(step=step)
        except Busy:
            said, tone = labels.BUSY, "quiet"
        except Unanswered:
            said = labels.UNANSWERED
        else:
            did = labels.DID.get(done.fact, labels.DID_ANYTHING)
            said, tone = did.fill(ticket=done.ticket), "done"
            clerk = words.get("clerk", "")
        self.post_message(self.Answered(said, tone, clerk))

    def on_caller_app_answered(self, answered: Answered) -> None:
        # Whoever was let in need not be asked again after a pause for lunch.
        self._clerk = answered.clerk or self._clerk
        self._say(answered.said, answered.tone)

    def on_caller_app_board_came(self) -> None:
        before, self._board = self._board, self._hall.board
        self._board_at = self._monotonic()
        if self._tone == "asks" and _ticket(before) != _ticket(self._board):
            self.action_forget()  # The question was about another ticket.
        self._show()

    def on_caller_app_link_turned(self) -> None:
        self._presses.forget()
        online = self._hall.link == "online"
        if online and self._was_online and self._said != labels.UNANSWERED:
            self._say(labels.BACK, "done")
        self._was_online = self._was_online or online
        self._show()

    # ── The screen ──────────────────────────────────────────────────────────

    def _say(self, said: Label, tone: Tone) -> None:
        self._said, self._tone = said, tone
        self._show()

    def _tick(self) -> None:
        if self._tone == "asks" and not self._presses.asked(self._monotonic()):
            self._said, self._tone = SILENCE, "quiet"
        self._show()

    def _show(self) -> None:
        if not self.is_running:
            return  # Answers still come while the program ends.
        now = None
        if self._board is not None:
            passed = timedelta(seconds=self._monotonic() - self._board_at)
            now = self._board.now + passed
        view = View(
            lang=self._lang,
            window=self._hall.window,
            link=self._hall.link,
            board=self._board,
            now=now,
            said=self._said,
            tone=self._tone,
        )
        self._main.set_class(view.link != "online", "cut")
        for panel in self._panels:
            panel.show(view)


def _ticket(board: Board | None) -> str:
    return board.in_hand.ticket if board and board.in_hand else ""
