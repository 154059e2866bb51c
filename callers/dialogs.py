"""The two dialogs: who signs in, and what the keys do."""

from typing import ClassVar

import msgspec
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from callers import keys, labels
from callers.labels import Lang
from callers.panels import BRIGHT, CALLED, DIM, LATE
from floor.practice import Id


def is_clerk(id: str) -> bool:
    """Whether this can be the id of a clerk."""
    try:
        msgspec.convert(id, Id)
    except msgspec.ValidationError:
        return False
    return True


class SignIn(ModalScreen[str]):
    """Asks for the clerk's id; gives an empty one when cancelled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss('')", show=False)
    ]

    def __init__(self, window: str, lang: Lang) -> None:
        super().__init__()
        self._window = window
        self._lang = lang

    def compose(self) -> ComposeResult:
        title = labels.SIGN_IN_TITLE.fill(window=self._window).text(self._lang)
        self._problem = Static(markup=False)
        with Vertical(classes="dialog"):
            yield Static(Content.styled(title, BRIGHT))
            yield Static(labels.SIGN_IN_ASK.text(self._lang), markup=False)
            yield Input(max_length=40)
            yield self._problem

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        clerk = submitted.value.strip()
        if is_clerk(clerk):
            self.dismiss(clerk)
        else:
            bad = labels.SIGN_IN_BAD.text(self._lang)
            self._problem.update(Content.styled(bad, LATE))


class Help(ModalScreen[None]):
    """Every key and what it does."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,1,enter,q", "dismiss(None)", show=False)
    ]

    def __init__(self, lang: Lang) -> None:
        super().__init__()
        self._lang = lang

    def compose(self) -> ComposeResult:
        lang = self._lang
        rows = [Content.styled(labels.HELP_TITLE.text(lang), BRIGHT), Content("")]
        for key in (*keys.STEPS, *keys.OWN):
            label, shown = key.label.text(lang), key.all_shown
            rows.append(
                Content.assemble(
                    (shown.ljust(SHOWN_CELLS), f"bold {CALLED}"),
                    (label + " " * (LABEL_CELLS - cell_len(label)), BRIGHT),
                    key.help.text(lang),
                )
            )
        rows += [Content(""), Content.styled(labels.HELP_FOOT.text(lang), DIM)]
        with Vertical(classes="dialog"):
            yield Static(Content("\n").join(rows))


SHOWN_CELLS = 13
LABEL_CELLS = 10
