"""Pages in a real browser: what visitors see of the hall, and what their touch does."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
from playwright.async_api import Page, Route, WebSocketRoute, expect

from browser import (
    all_named_and_legible,
    browser_page,  # noqa: F401
    overflowing,
)
from conftest import Served, ServeHall
from displays import pages, server
from floor import commands, facts
from floor.catalogue import load
from floor.follow import opened
from floor.tokens import token_of
from timeline import SAMPLE, VERBS

MONDAY_10 = datetime(2026, 11, 23, 2, tzinfo=UTC)  # 10:00 in the hall.
STREAM = "hall-1/2026-11-23"
SERVED = "opens 1\ntakes zonghe\ncalls 1\nstarts 1\nfinishes 1"


def now() -> datetime:
    return MONDAY_10


def script(lines: str) -> list[commands.Command]:
    """The commands of timeline lines without their times."""
    words = (line.split() for line in lines.strip().splitlines())
    return [VERBS[verb](rest) for verb, *rest in words]


async def play(served: Served, lines: str) -> None:
    for command in script(lines):
        await served.floor.do(command)


def token(served: Served, ticket: str) -> str:
    return token_of(served.floor.key, STREAM, ticket)


async def until(true: Callable[[], Awaitable[bool]], within_s: float) -> None:
    """Look again and again, without a sign from what is looked at."""
    async with asyncio.timeout(within_s):
        while not await true():  # noqa: ASYNC110 (a browser gives no sign)
            await asyncio.sleep(0.05)


# ── The hall screen ─────────────────────────────────────────────────────────


async def test_a_call_appears_on_the_hall_screen_and_flashes(
    serve_hall: ServeHall, page: Page
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, "opens 1\nopens 3\ntakes zonghe\ntakes zonghe\ncalls 1")
        await page.goto(f"{served.url}/screens/hall")
        first = page.locator("#calls li").first
        await expect(first.locator(".ticket")).to_have_text("A001")
        await expect(first.locator(".window")).to_have_text("1号窗口")
        await expect(first.locator(".place")).to_have_text("综合窗口")
        await expect(page.locator("#lines .count").first).to_have_text("1")
        # What was called before the screen was switched on is no news.
        await expect(page.locator(".flash")).to_have_count(0)

        await play(served, "calls 3")
        await expect(first.locator(".ticket")).to_have_text("A002", timeout=2_000)
        await expect(page.locator(".flash .ticket")).to_have_text("A002")
        await expect(page.locator("#spoken")).to_have_text("请A002号到3号窗口办理")
        await expect(page.locator("#lines .count").first).to_have_text("0")
        await play(served, "recalls 1")
        await expect(first.locator(".ticket")).to_have_text("A001", timeout=2_000)
        await expect(first.locator(".times")).to_have_text("第2次呼叫")


async def test_the_board_can_be_read_from_ten_metres(
    serve_hall: ServeHall, page: Page
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, "opens 1")
        for _ in range(7):
            await play(served, "takes zonghe\ncalls 1\nno-show 1")
        await page.goto(f"{served.url}/screens/hall")
        rows = page.locator("#calls li")
        await expect(rows).to_have_count(6)
        sizes = await page.eval_on_selector_all(
            "#calls .ticket",
            "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))",
        )
        assert min(sizes) >= 0.06 * 1920
        assert await overflowing(page) == []


async def test_a_screen_comes_back_by_itself_with_what_was_called_meanwhile(
    serve_hall: ServeHall, page: Page
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, "opens 1\nopens 3\ntakes zonghe\ntakes zonghe\ncalls 1")
        await page.goto(f"{served.url}/screens/hall")
        await expect(page.locator("#calls li")).to_have_count(1)
        port, path = urlsplit(served.url).port, served.path
    await expect(page.locator("#lost")).to_be_visible(timeout=5_000)
    await expect(page.locator("#lost")).to_have_text("信号中断，正在重连…")
    await expect(page.locator("#calls li")).to_have_count(1)  # Still shown.

    async with opened(path, load(SAMPLE), now()) as (hall, _):
        for command in script("calls 3"):
            await hall.do(command, now())
    async with serve_hall(server.routes, clock=now, port=port, path=path) as served:
        rows = page.locator("#calls .ticket")
        await expect(rows).to_have_text(["A002", "A001"], timeout=8_000)
        await expect(page.locator("#lost")).to_be_hidden()
        await expect(page.locator(".flash .ticket")).to_have_text(["A002"])
        await play(served, "takes zonghe")
        await expect(page.locator("#lines .count").first).to_have_text("1")


async def test_a_silent_line_is_noticed_and_replaced(
    serve_hall: ServeHall, page: Page
) -> None:
    dead: list[WebSocketRoute] = []
    silent = False

    def through(line: WebSocketRoute) -> None:
        hall = line.connect_to_server()
        dead.append(line)
        hall.on_message(lambda text: None if silent else line.send(text))

    await page.route_web_socket(re.compile("/ws/screen/"), through)
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, "opens 1\ntakes zonghe")
        await page.goto(f"{served.url}/screens/hall")
        await expect(page.locator("#quiet")).to_be_visible()
        await asyncio.sleep(5)  # Quiet is not silent: there are beats.
        await expect(page.locator("#lost")).to_be_hidden()
        assert len(dead) == 1

        silent = True  # The cable is out; nothing is closed.
        await play(served, "calls 1")
        await expect(page.locator("#lost")).to_be_visible(timeout=5_000)
        silent = False
        called = page.locator("#calls .ticket")
        await expect(called).to_have_text(["A001"], timeout=15_000)
        await expect(page.locator("#lost")).to_be_hidden()
        await expect(page.locator(".flash")).to_have_count(1)


async def test_a_line_that_beats_and_shows_nothing_is_replaced(
    serve_hall: ServeHall, page: Page
) -> None:
    lines: list[WebSocketRoute] = []

    def through(line: WebSocketRoute) -> None:
        first = not lines
        lines.append(line)
        hall = line.connect_to_server()
        hall.on_message(
            lambda text: None if first and '"snapshot"' in text else line.send(text)
        )

    await page.route_web_socket(re.compile("/ws/screen/"), through)
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, "opens 1\ntakes zonghe\ncalls 1")
        await page.goto(f"{served.url}/screens/hall")
        called = page.locator("#calls .ticket")
        await expect(called).to_have_text(["A001"], timeout=15_000)
        assert len(lines) == 2


async def test_an_english_screen_speaks_english(
    serve_hall: ServeHall, page: Page
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await page.goto(f"{served.url}/screens/hall?lang=en")
        await play(served, "opens 12\ntakes qiyekaiban\ncalls 12")
        first = page.locator("#calls li").first
        await expect(first.locator(".window")).to_have_text("Window 12")
        await expect(first.locator(".place")).to_have_text("Starting a business")
        assert await page.locator("html").get_attribute("lang") == "en"
        await play(served, "closes-hall")
        await expect(page.locator("#closed")).to_have_text(
            "The hall is closed for today"
        )
        await expect(page.locator("#calls")).to_be_hidden()


# ── The kiosk ───────────────────────────────────────────────────────────────


async def test_one_touch_takes_one_ticket(serve_hall: ServeHall, page: Page) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, "opens 1\nopens 3\ntakes zonghe")
        await page.goto(f"{served.url}/kiosk")
        general = page.get_by_role("button", name="综合受理")
        await expect(general).to_contain_text("等候1人")
        # Sooner after another than any hand, so that no overlay stands in between.
        await page.evaluate(
            "for (const n of [0, 0, 1]) items.querySelectorAll('button')[n].click()"
        )
        await expect(page.locator("#ticket")).to_have_text("A002")
        await expect(page.locator("#ahead")).to_have_text("前面还有1人")
        await expect(page.locator("#windows")).to_have_text("叫号后请到1、3号窗口")
        await until(lambda: page.evaluate("qr.complete && qr.naturalWidth > 0"), 5)
        await expect(page.locator("#done")).to_contain_text("秒")
        await all_named_and_legible(page)
        day = served.floor.feed.day
        assert list(day.tickets) == ["A001", "A002"]
        await page.wait_for_timeout(900)
        await page.get_by_role("button", name="返回").click()
        await expect(page.locator("#taken")).to_be_hidden()
        await expect(general).to_contain_text("等候2人")


async def test_a_lost_answer_costs_no_second_ticket(
    serve_hall: ServeHall, page: Page
) -> None:
    asked: list[str] = []

    async def lose_first(route: Route) -> None:
        asked.append(json.loads(route.request.post_data or "")["command_id"])
        if len(asked) > 1:
            await route.continue_()
            return
        await route.fetch()  # The hall hears it; its answer never arrives.
        await route.abort()

    async with serve_hall(server.routes, clock=now) as served:
        await page.route("**/api/tickets", lose_first)
        await page.goto(f"{served.url}/kiosk")
        await page.get_by_role("button", name="户籍业务").click()
        await expect(page.locator("#ticket")).to_have_text("E001")
        assert len(asked) == 2
        assert len(set(asked)) == 1
        assert list(served.floor.feed.day.tickets) == ["E001"]


async def test_a_ticket_nobody_saw_goes_to_the_next_who_asks(
    serve_hall: ServeHall, page: Page
) -> None:
    down = True

    async def deaf(route: Route) -> None:
        if down:
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    async with serve_hall(server.routes, clock=now) as served:
        await page.route("**/api/tickets", deaf)
        await page.goto(f"{served.url}/kiosk")
        households = page.get_by_role("button", name="户籍业务")
        await households.click()
        await expect(page.locator("#why")).to_contain_text("网络中断", timeout=9_000)
        await all_named_and_legible(page)
        down = False
        await page.wait_for_timeout(900)
        await page.locator("#back").click()
        await households.click()
        await expect(page.locator("#ticket")).to_have_text("E001")
        assert list(served.floor.feed.day.tickets) == ["E001"]


async def test_the_kiosk_goes_home_by_itself(serve_hall: ServeHall, page: Page) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await page.clock.install()
        await page.goto(f"{served.url}/kiosk?lang=en")
        await page.get_by_role("button", name="General acceptance").click()
        await expect(page.locator("#done")).to_have_text(re.compile(r"Done \(\d+ s\)"))
        await page.clock.run_for(22_000)
        await expect(page.locator("#taken")).to_be_hidden()
        await expect(page.locator("#ticket")).to_have_text("A001")


async def test_the_kiosk_says_what_the_hall_says(
    serve_hall: ServeHall, page: Page
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await page.goto(f"{served.url}/kiosk")
        await expect(page.locator("#items button")).to_have_count(16)
        await play(served, "closes-hall")
        await expect(page.locator("#closed")).to_be_visible()
        # A touch that crosses the closing on its way; a finger cannot do it any more.
        await page.evaluate("document.querySelector('#items button').click()")
        await expect(page.locator("#why")).to_have_text("今天已闭厅，不再取号和叫号")
        assert not served.floor.feed.day.tickets


async def test_a_kiosk_without_hall_takes_nothing_and_comes_back(
    serve_hall: ServeHall, page: Page
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await page.goto(f"{served.url}/kiosk")
        await expect(page.locator("#items button")).to_have_count(16)
        port = urlsplit(served.url).port
    await expect(page.locator("#lost")).to_be_visible(timeout=5_000)
    assert await page.evaluate("items.inert")
    async with serve_hall(server.routes, clock=now, port=port) as served:
        await expect(page.locator("#lost")).to_be_hidden(timeout=8_000)
        await page.get_by_role("button", name="办税服务").click()
        await expect(page.locator("#ticket")).to_have_text("K001")


# ── Rating ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("linked", [True, False])
async def test_a_touch_rates_the_service(
    serve_hall: ServeHall, page: Page, linked: bool
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, SERVED)
        query = f"?token={token(served, 'A001')}" if linked else ""
        await page.goto(f"{served.url}/rate/A001{query}")
        levels = page.locator(".levels button")
        await expect(levels).to_have_text(list(facts.LEVEL_ZH.values()))
        await page.get_by_role("button", name="不满意", exact=True).dblclick()
        await expect(page.locator("#thanks")).to_be_visible()
        rated = served.floor.feed.day.tickets["A001"]
        assert rated.level is facts.Level.DISSATISFIED
        [given] = [
            entry.fact
            for entry in served.floor.feed.after(0)
            if isinstance(entry.fact, facts.EvaluationGiven)
        ]
        assert given.channel == ("qr" if linked else "tablet")
        await page.reload()
        await expect(page.locator("main h2")).to_have_text("A001号已经评价过")


async def test_no_level_is_suggested(serve_hall: ServeHall, page: Page) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, SERVED)
        await page.goto(f"{served.url}/rate/A001")
        looks = await page.eval_on_selector_all(
            ".levels button",
            """all => all.map(e => {
                const s = getComputedStyle(e), face = getComputedStyle(e.children[0]);
                const box = e.getBoundingClientRect();
                return [s.color, s.backgroundColor, s.borderColor, s.fontSize,
                        face.stroke, face.width, Math.round(box.width),
                        Math.round(box.height), e === document.activeElement].join()
            })""",
        )
        assert len(looks) == 5
        assert len(set(looks)) == 1


async def test_a_rating_that_came_too_late_is_told_so(
    serve_hall: ServeHall, page: Page
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, SERVED)
        await page.goto(f"{served.url}/rate/A001")
        await play(served, "rates A001 satisfied")
        await page.get_by_role("button", name="非常满意").click()
        await expect(page.locator("#told")).to_have_text("A001号已经评价过，谢谢")
        assert served.floor.feed.day.tickets["A001"].level is facts.Level.SATISFIED


@pytest.mark.parametrize(
    ("lines", "path", "status", "says"),
    [
        ("", "/rate/A001", 404, "今天没有A001这个号"),
        ("takes zonghe\ntakes zonghe", "/rate/A002", 200, "前面还有1人"),
        ("opens 1\ntakes zonghe\ncalls 1", "/rate/A001", 200, "请到1号窗口办理"),
        (
            "opens 1\ntakes zonghe\ncalls 1\nstarts 1",
            "/rate/A001",
            200,
            "还没有办结，办结后可在本页评价",
        ),
        ("takes zonghe\nabandons A001", "/rate/A001", 200, "A001号没有办理"),
        ("takes zonghe", "/rate/A001?token=wrong", 403, "链接与票号不符"),
        ("takes zonghe", "/rate/A001?token=%E5%8F%B7%00", 403, "链接与票号不符"),
        ("", "/rate/a001", 404, "没有这个页面"),
        ("", "/rate/A%D9%A1%D9%A2%D9%A3", 404, "没有这个页面"),
        ("", "/rate/<script>", 404, "没有这个页面"),
        ("", "/screens/%E5%A4%A7", 404, "没有这个页面"),
        ("", "/kiosk/qr/x.svg", 404, "没有这个页面"),
        ("takes zonghe", "/kiosk/qr/A001.svg?token=wrong", 403, "链接与票号不符"),
        ("", "/", 200, "/screens/hall"),
    ],
)
async def test_a_page_says_politely_how_things_stand(
    serve_hall: ServeHall, lines: str, path: str, status: int, says: str
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, lines)
        before = served.floor.feed.position
        async with httpx.AsyncClient(base_url=served.url) as visitor:
            answer = await visitor.get(path)
        assert answer.status_code == status
        assert says in answer.text
        assert served.floor.feed.position == before


OVERTAKEN = """
opens 1
takes zonghe
takes zonghe
calls 1 A002 急
"""


async def test_whoever_is_overtaken_reads_why(
    serve_hall: ServeHall, page: Page
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, OVERTAKEN)
        await page.goto(f"{served.url}/rate/A001")
        told = page.get_by_role("region", name="为什么先叫别人")
        await expect(told.get_by_role("listitem")).to_have_text(
            ["10:00 A002 先于您被叫到1号窗口：指定呼叫：急"]
        )
        await all_named_and_legible(page)
        assert await overflowing(page) == []
        await page.goto(f"{served.url}/rate/A001?lang=en")
        told = page.get_by_role("region", name="Why others were called first")
        await expect(told.get_by_role("listitem")).to_have_text(
            ["10:00 A002 was called to window 1 before you: chosen by hand: 急"]
        )
        for n in range(3, 10):
            await play(served, f"no-show 1\ntakes zonghe\ncalls 1 A00{n} <b>急</b>")
        await page.set_viewport_size({"width": 360, "height": 1400})
        await page.goto(f"{served.url}/rate/A001")
        told = page.get_by_role("region", name="为什么先叫别人")
        rows = told.get_by_role("listitem")
        await expect(rows).to_have_count(pages.OVERTAKEN_MAX)
        await expect(rows.first).to_contain_text(
            "A009 先于您被叫到1号窗口：指定呼叫：<b>急"
        )
        await expect(told).to_contain_text("有8次叫号没有按先来后到")
        await expect(told).to_contain_text("这里列出最近6次")
        await all_named_and_legible(page)
        assert await overflowing(page) == []


@pytest.mark.parametrize(
    ("lines", "path", "there", "not_there"),
    [
        ("opens 1\ntakes zonghe\ntakes zonghe\ncalls 1", "A002",
         "在您之前叫的都是先到的。", "<li>"),
        (OVERTAKEN, "A001", "A002 先于您被叫", "clerk"),
        (f"{OVERTAKEN}no-show 1\ncalls 1", "A001", "A002 先于您被叫", "c1"),
        (OVERTAKEN, "A002", "请到1号窗口办理", "为什么先叫别人"),
        (f"{OVERTAKEN}abandons A001", "A001", "A001号没有办理", "为什么先叫别人"),
        (OVERTAKEN, "A001?token=wrong", "链接与票号不符", "A002"),
        (OVERTAKEN, "A009", "今天没有A009这个号", "A002"),
    ],
)  # fmt: skip
async def test_why_is_told_while_it_matters(
    serve_hall: ServeHall, lines: str, path: str, there: str, not_there: str
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, lines)
        async with httpx.AsyncClient(base_url=served.url) as visitor:
            text = (await visitor.get(f"/rate/{path}")).text
        assert there in text
        assert not_there not in text


async def test_the_code_of_a_ticket_leads_to_its_own_page(
    serve_hall: ServeHall,
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        async with httpx.AsyncClient(base_url=served.url) as visitor:
            taken = (await visitor.post("/api/tickets", json={"item": "huji"})).json()
            link = f"/kiosk/qr/{taken['ticket']}.svg?token={taken['token']}"
            code = await visitor.get(link)
            page_of_it = f"/rate/{taken['ticket']}?token={taken['token']}"
            there = await visitor.get(page_of_it)
        assert code.headers["content-type"] == "image/svg+xml"
        expected = pages.qr_svg(f"{served.url}{page_of_it}")
        assert code.content == expected
        assert there.status_code == 200


# ── All pages ───────────────────────────────────────────────────────────────

PAGES = ("/", "/screens/hall", "/kiosk", "/rate/A001", "/rate/A002", "/rate/x")


async def test_no_page_asks_anybody_but_the_hall(
    serve_hall: ServeHall, page: Page
) -> None:
    asked: set[str] = set()
    blocked: list[str] = []
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.on("websocket", lambda line: asked.add(urlsplit(line.url).netloc))
    page.on("console", lambda said: blocked.append(said.text))
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, f"{SERVED}\ntakes zonghe")
        for path in PAGES:
            await page.goto(served.url + path, wait_until="load")
            await page.wait_for_timeout(200)
        assert asked == {urlsplit(served.url).netloc}
    assert not [text for text in blocked if "Content Security Policy" in text]


HOSTILE = "<img src=x onerror=document.title='hurt'>"


async def test_names_in_a_catalogue_stay_words(
    serve_hall: ServeHall, page: Page
) -> None:
    sample = load(SAMPLE)
    hostile = msgspec.structs.replace(
        sample,
        name=f"\"'>{HOSTILE}",
        items=tuple(
            msgspec.structs.replace(item, name=HOSTILE) for item in sample.items
        ),
        windows=tuple(
            msgspec.structs.replace(window, name=HOSTILE, name_en=HOSTILE)
            for window in sample.windows
        ),
    )
    async with serve_hall(server.routes, catalogue=hostile, clock=now) as served:
        await play(served, f"{SERVED}\ntakes zonghe\ncalls 1")
        await page.goto(f"{served.url}/screens/hall")
        await expect(page.locator("#calls .place").first).to_have_text(HOSTILE)
        await expect(page.locator("#lines .item").first).to_have_text(HOSTILE)
        assert await overflowing(page) == []
        await page.goto(f"{served.url}/kiosk")
        await page.locator("#items button").first.click()
        await expect(page.locator("#your")).to_contain_text(HOSTILE)
        await page.goto(f"{served.url}/rate/A001")
        await expect(page.locator("h1")).to_have_text(f"\"'>{HOSTILE}")
        assert await page.locator("img").count() == 0
        assert await page.title() != "hurt"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_everything_has_a_name_and_can_be_told_from_its_ground(
    serve_hall: ServeHall, page: Page, path: str, lang: str
) -> None:
    async with serve_hall(server.routes, clock=now) as served:
        await play(served, f"{SERVED}\ntakes zonghe\ntakes zonghe\ncalls 1\nstarts 1")
        await page.goto(f"{served.url}{path}?lang={lang}")
        if path == "/screens/hall":
            await play(served, "finishes 1\ncalls 1\nrecalls 1")
            await expect(page.locator(".flash")).to_have_count(1)
        expected = {"zh": "zh-CN", "en": "en"}[lang]
        assert await page.locator("html").get_attribute("lang") == expected
        assert await page.title()
        assert await page.locator("h1").count() == 1
        assert await page.locator("main").count() == 1
        await all_named_and_legible(page)
