"""What the terminal looks like, cell by cell; `--snapshot-update` after a change.

The pictures squeeze Chinese to half its width (rich counts characters): they are for
comparing, not for show. Which text is in which column is tested in test_callers_panels.
"""

from contextlib import AsyncExitStack

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot

import callers.server
from callers.app import CallerApp
from callers.labels import Lang
from callers.panels import HandPanel, TopBar
from conftest import Served, ServeHall
from test_callers_app import Clerk, Time
from test_callers_client import until
from test_callers_server import post, take

SCENES = ("serving", "free", "confirming", "help", "offline")
#: Scene, language, columns and rows.
PICTURES = [
    *((scene, lang, 80, 24) for scene in SCENES for lang in ("zh", "en")),
    ("serving", "zh", 120, 40),
    ("serving", "en", 120, 40),
]


class Picture(SingleFileSnapshotExtension):
    """A file that a browser can show, one a picture."""

    _write_mode = WriteMode.TEXT
    file_extension = "svg"


@pytest.fixture
def picture(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(Picture)


@pytest.mark.parametrize(("scene", "lang", "columns", "rows"), PICTURES)
async def test_the_terminal_looks_as_it_did(
    serve_hall: ServeHall,
    picture: SnapshotAssertion,
    scene: str,
    lang: Lang,
    columns: int,
    rows: int,
) -> None:
    time = Time()
    async with AsyncExitStack() as hall:
        served = await hall.enter_async_context(
            serve_hall(callers.server.routes, clock=time.hall)
        )
        await _morning(served, time)
        app = CallerApp(served.url, "3", "c3", lang, monotonic=time.terminal)
        async with app.run_test(size=(columns, rows)) as pilot:
            clerk = Clerk(pilot, time)
            await until(lambda: "c3" in clerk.reads(TopBar))
            await _come_to(scene, clerk, hall)
            await pilot.pause()
            assert app.export_screenshot() == picture


async def _morning(served: Served, time: Time) -> None:
    """Some have waited long, some just came, one has been served."""
    for item, kind in (
        ("zonghe", "normal"),
        ("zonghe", "care"),
        ("xuke", "appointment"),
        ("xuke", "priority"),
        ("zonghe", "normal"),
    ):
        await post(served, "tickets", item=item, kind=kind)
        time.s += 100
    await post(served, "windows/3/open", clerk="c3")
    for word in ("call", "start", "finish", "invite", "call"):
        await post(served, f"windows/3/{word}")
        time.s += 61
    await take(served, "zonghe", 30)


async def _come_to(scene: str, clerk: Clerk, hall: AsyncExitStack) -> None:
    pilot: Pilot[None] = clerk.pilot
    if scene == "serving":
        await clerk.press("s")
        await until(lambda: "A002" in clerk.said)
        clerk.time.s += 16 * 60
        await until(lambda: " 16:00 " in clerk.reads(HandPanel))
    elif scene == "free":
        await clerk.press("s", "f")
        await until(lambda: "A002" in clerk.said)
    elif scene == "confirming":
        await clerk.press("n")
    elif scene == "help":
        await pilot.press("f1")
    elif scene == "offline":
        await hall.aclose()
        await until(lambda: pilot.app.screen.has_class("cut"))
        await clerk.press("s")
