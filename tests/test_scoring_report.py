"""The report: what the terminal, the browser and the printer are given."""

import re
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from floor.catalogue import Catalogue
from scoring import report, rulebook
from scoring.assessment import Assessment, assess
from scoring.items import Cause
from scoring.report import to_html, to_json, to_text
from timeline import FloorDay

BOOK = rulebook.load()

DAY = """
09:05:00 opens 1 li
09:05:00 takes zonghe
09:06:00 calls 1
09:07:00 starts 1
09:20:00 finishes 1
09:20:05 rates A001 very_dissatisfied
09:25:00 takes zonghe
09:26:00 calls 1
09:26:30 no-show 1
"""
HOSTILE = """"'></td><script>alert(1)</script>{{ 7*7 }}&lt;"""


def assessed(catalogue: Catalogue | None = None) -> Assessment:
    return assess(FloorDay(catalogue).play(DAY).entries, BOOK)


class Page(HTMLParser):
    """The tags of a page, whether they close, and where they would send us."""

    VOID = ("meta", "link", "input", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.inline: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "srcset", "action") or (name, tag) == ("href", "link"):
                self.fetched.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            if name == "style" or name.startswith("on"):
                self.inline.append(name)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone() -> None:
    html = to_html(assessed())
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert '<html lang="zh-CN">' in html
    assert page.fetched == []
    assert page.inline == []
    assert "script" not in page.tags
    assert "url(" not in html
    assert "@import" not in html
    assert "style" in page.tags


def test_the_served_page_has_no_inline_style() -> None:
    page = Page(to_html(assessed(), standalone=False))
    assert page.fetched == ["/score.css", "/score"]
    assert page.inline == []
    assert "style" not in page.tags


def test_every_link_of_the_page_leads_somewhere() -> None:
    page = Page(to_html(assessed()))
    marks = [link for link in page.links if "-" in link]
    assert len(marks) == 9
    assert {link.removeprefix("#") for link in marks} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_a_mark_opens_on_its_evidence() -> None:
    html = to_html(assessed())
    details = re.findall(r"<details.*?</details>", html, re.S)
    [late] = [text for text in details if "A1</span>" in text]
    assert "2026-11-23 09:05:00" in late
    assert "迟开窗 10 分钟以内" in late
    assert "5分00秒" in late
    assert "<span>#2</span>" in late
    [bad] = [text for text in details if "D2</span>" in text]
    assert "A001" in bad
    assert "1 条待核实" in bad
    assert "<span>#7</span>" in bad


def test_a_hostile_catalogue_is_only_text() -> None:
    sample = FloorDay().catalogue
    window = replace(
        sample.windows[0], name=HOSTILE[:60], name_en=HOSTILE[:60], department="<b>局"
    )
    items = tuple(replace(item, name=HOSTILE[:60]) for item in sample.items)
    hostile = replace(
        sample, name=HOSTILE[:60], items=items, windows=(window, *sample.windows[1:])
    )
    html = to_html(assessed(hostile))
    page = Page(html)
    assert "script" not in page.tags
    assert "b" in page.tags  # Our own, around the window's number.
    assert "<b>局" not in html
    assert "alert(1)" in html
    assert "49" not in re.findall(r"<p class=\"hall\">.*?</p>", html, re.S)[0]
    assert "alert(1)" in to_json(assessed(hostile))
    assert "alert(1)" in to_text(assessed(hostile))


def test_a_hostile_question_is_only_text() -> None:
    asked = {"as_of": HOSTILE, "window": HOSTILE}
    page = Page(to_html(assessed(), standalone=False, asked=asked))
    assert "script" not in page.tags
    assert page.inline == []


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_unmeasured_items_are_listed_apart(lang: report.Lang) -> None:
    for text in (to_text(assessed(), lang), to_html(assessed(), lang)):
        assert "570" in text
        assert "430" in text
        for item in assessed().unmeasured:
            assert item.code in text
            assert (item.needs if lang == "zh" else item.needs_en) in text


def test_english_is_english() -> None:
    text = to_text(assessed(), "en")
    assert "Qinghe County Government Service Centre" in text
    assert "opened up to 10 minutes late × 1, 3 points" in text
    html = to_html(assessed(), "en")
    assert '<html lang="en">' in html
    assert "very dissatisfied" in html
    # Departments and clauses have no English in the catalogue and the rulebook.
    body = re.sub(r'<p class="source">.*?</p>|<span>[^<]*·[^<]*</span>', "", html)
    body = body.replace(assessed().windows[0].department, "")
    body = re.sub(r"<style>.*?</style>|<a href=\"/score.*?</a>", "", body, flags=re.S)
    assert re.findall(r"[\u4e00-\u9fff]+", body) == []


def test_no_grade_is_shown_while_items_are_missing() -> None:
    assert "暂不评定等次" in to_text(assessed())
    assert "暂不评定等次" in to_html(assessed())


def test_columns_stand_in_line_in_cells() -> None:
    lines = to_text(assessed()).splitlines()
    rule = next(i for i, line in enumerate(lines) if line.startswith("─"))
    rows = [lines[rule - 2], *lines[rule + 1 : rule + 20]]
    assert {cell_len(row) for row in rows} == {cell_len(lines[rule])}
    assert cell_len(lines[rule]) <= 80


def test_a_window_without_marks_shows_dashes_and_no_sum() -> None:
    row = next(line for line in to_text(assessed()).splitlines() if " 19 " in line)
    assert row.split()[2:] == ["–"] * 11
    assert '<section class="window" id="w19">' not in to_html(assessed())


def test_long_names_are_cut_in_cells() -> None:
    sample = FloorDay().catalogue
    window = replace(sample.windows[0], name="很长的窗口名称" * 5)
    longer = replace(sample, windows=(window, *sample.windows[1:]))
    text = to_text(assessed(longer))
    assert "很长的窗口名称很…" in text


def test_reasons_name_their_facts() -> None:
    text = to_text(assessed())
    assert (
        "1号窗口  A1 准时开窗、不早退 37/40  迟开窗 10 分钟以内 1 次，扣 3 分" in text
    )
    [line] = [line for line in text.splitlines() if "B3 " in line and "号窗口" in line]
    assert line.endswith("依据 #9 #10")
    [pending] = [line for line in text.splitlines() if " D2 " in line and "待" in line]
    assert pending.endswith("依据 #7")


def test_long_lists_are_cut_for_people(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report, "POSITIONS_SHOWN_MAX", 1)
    monkeypatch.setattr(report, "CAUSES_SHOWN_MAX", 0)
    assert "依据 #9 等 2 条" in to_text(assessed())
    assert "另有 1 条，见 JSON。" in to_html(assessed())


@pytest.mark.parametrize(
    ("ms", "zh", "en"),
    [
        (None, "", ""),
        (9_999, "9秒", "9 s"),
        (65_000, "1分05秒", "1 min 05 s"),
        (3_900_000, "1小时05分", "1 h 05 min"),
    ],
)
def test_how_long_it_lasted(ms: int | None, zh: str, en: str) -> None:
    cause = Cause(
        title="", title_en="", window="", ticket="", at_ms=0, lasted_ms=ms, evidence=()
    )
    assert report.lasted(cause, "zh") == zh
    assert report.lasted(cause, "en") == en


@pytest.mark.parametrize(
    ("points", "shade"), [(50, "full"), (45, "good"), (44, "fair"), (29, "poor")]
)
def test_shades(points: int, shade: str) -> None:
    assert report.shade(points, 50) == shade
