"""The report (考核结果): one assessment as a table, as JSON and as a page.

All three say the same and name the same facts; none of them computes a point.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import jinja2
import msgspec
from markupsafe import Markup
from rich.cells import cell_len

from scoring.assessment import Assessment, WindowScore
from scoring.hours import instant
from scoring.items import Cause, Mark, NotApplicable, Result
from scoring.words import WORDS

Lang = Literal["zh", "en"]

# A line of the terminal stays readable, and a page of a whole quarter can be opened;
# JSON always has every number.
POSITIONS_SHOWN_MAX = 12
CAUSES_SHOWN_MAX = 200
NAME_CELLS_MAX = 18

_HERE = Path(__file__).parent
CSS = _HERE.joinpath("static", "score.css")

_PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE.joinpath("templates")),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


# ── JSON ────────────────────────────────────────────────────────────────────


def to_json(assessment: Assessment) -> str:
    """All of it, keys in a fixed order, every number a whole one."""
    table = {
        "hall": assessment.hall,
        "name": assessment.name,
        "name_en": assessment.name_en,
        "rulebook": {
            "name": assessment.rulebook.name,
            "version": assessment.rulebook.version,
            "sha256": assessment.rulebook.sha256,
        },
        "as_of": assessment.as_of.isoformat(),
        "position": assessment.position,
        "facts": assessment.facts,
        "streams": assessment.streams,
        "measured": [item.code for item in assessment.measured],
        "not_measured": [item.code for item in assessment.unmeasured],
        "windows": [_window_words(window) for window in assessment.windows],
    }
    return msgspec.json.format(msgspec.json.encode(table), indent=2).decode()


def _window_words(window: WindowScore) -> dict[str, object]:
    return {
        "window": window.window,
        "name": window.name,
        "name_en": window.name_en,
        "department": window.department,
        "total": window.total,
        "points_max": window.points_max,
        "items": [
            {
                "code": line.item.code,
                "title": line.item.title,
                "title_en": line.item.title_en,
                "points": getattr(line.result, "points", None),
                "points_max": line.result.points_max,
                "status": status_of(line.result),
                "reason": line.result.reason,
                "reason_en": line.result.reason_en,
                "evidence": getattr(line.result, "evidence", ()),
                "pending": getattr(line.result, "pending", ()),
            }
            for line in window.lines
        ],
    }


def status_of(result: Result) -> str:
    """`measured`, `not_applicable` or `not_measured`."""
    if isinstance(result, Mark):
        return "measured"
    return "not_applicable" if isinstance(result, NotApplicable) else "not_measured"


# ── The terminal ────────────────────────────────────────────────────────────


def to_text(assessment: Assessment, lang: Lang = "zh") -> str:
    """A table for the terminal, then why points were lost, then what is missing."""
    words = WORDS[lang]
    lines = [
        f"{_in(lang, assessment, 'name')}  {words['title']}",
        f"{words['as_of']} {local_time(assessment.as_of, assessment.time_zone)}"
        f"  {words['position']} #{assessment.position}"
        f"  {words['rulebook']} {_in(lang, assessment.rulebook, 'name')}"
        f" {assessment.rulebook.version} ({assessment.rulebook.sha256[:12]})",
        "",
        *_table(_rows(assessment, lang)),
        "",
    ]
    lines += [line for window in assessment.windows for line in _lost(window, lang)]
    points = sum(item.points for item in assessment.unmeasured)
    lines += ["", words["not_measured_title"].format(points=points)]
    lines += [
        f"  {item.code} {_in(lang, item, 'title')} {item.points}"
        f"  {_in(lang, item, 'needs')}"
        for item in assessment.unmeasured
    ]
    lines += ["", words["no_grade"]]
    return "\n".join(lines) + "\n"


def _rows(assessment: Assessment, lang: Lang) -> list[list[str]]:
    words = WORDS[lang]
    codes = [item.code for item in assessment.measured]
    limits = [str(item.points) for item in assessment.measured]
    rows = [
        [words["window"], "", *codes, words["total"], words["of"]],
        ["", words["points_max"], *limits, "", ""],
    ]
    for window in assessment.windows:
        points = {item.code: str(mark.points) for item, mark in window.marks}
        rows.append(
            [
                window.window,
                _clip(_in(lang, window, "name"), NAME_CELLS_MAX),
                *(points.get(code, "–") for code in codes),
                str(window.total) if points else "–",
                str(window.points_max) if points else "–",
            ]
        )
    return rows


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell; names to the left, numbers to the right."""
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell + _pad(cell, width) if place == 1 else _pad(cell, width) + cell
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return [*lines[:2], rule, *lines[2:]]


def _pad(cell: str, width: int) -> str:
    return " " * (width - cell_len(cell))


def _clip(text: str, cells: int) -> str:
    """The text, shortened to so many cells; a Chinese character takes two."""
    if cell_len(text) <= cells:
        return text
    while cell_len(text) > cells - 1:
        text = text[:-1]
    return text + "…"


def _lost(window: WindowScore, lang: Lang) -> list[str]:
    """Why a window lost points or may lose some, with the numbers of the facts."""
    words = WORDS[lang]
    lines = []
    for item, mark in window.marks:
        if mark.points == mark.points_max and not mark.pending:
            continue
        cited = mark.evidence or mark.pending
        lines.append(
            f"{words['window_n'].format(window=window.window)}  "
            f"{item.code} {_in(lang, item, 'title')} {mark.points}/{mark.points_max}  "
            f"{_in(lang, mark, 'reason')}  {words['evidence']} {_numbers(cited, lang)}"
        )
    return lines


def _numbers(positions: Sequence[int], lang: Lang) -> str:
    shown = " ".join(f"#{position}" for position in positions[:POSITIONS_SHOWN_MAX])
    if len(positions) <= POSITIONS_SHOWN_MAX:
        return shown
    return f"{shown} {WORDS[lang]['and_more'].format(n=len(positions))}"


# ── The page ────────────────────────────────────────────────────────────────


def to_html(
    assessment: Assessment,
    lang: Lang = "zh",
    *,
    standalone: bool = True,
    asked: dict[str, str] | None = None,
) -> str:
    """One page for a browser or a printer; clicking a mark opens its evidence.

    Args:
        assessment: what is shown.
        lang: Chinese, or English.
        standalone: everything in one file; else the style comes from `/score.css`,
            since a served page may hold no inline style.
        asked: `as_of` and `window` as they were asked for, for the served page's form.
    """
    # Our own file and nothing a catalogue can put words into.
    css = Markup(CSS.read_text("utf-8")) if standalone else ""
    return _PAGES.get_template("score.html").render(
        assessment=assessment,
        lang=lang,
        words=WORDS[lang],
        css=css,
        standalone=standalone,
        asked=asked or {"as_of": "", "window": ""},
        said=lambda row, name: _in(lang, row, name),
        status_of=status_of,
        shown=lambda causes: causes[:CAUSES_SHOWN_MAX],
        local=lambda at: local_time(at, assessment.time_zone),
        cause_time=lambda cause: local_time(instant(cause.at_ms), assessment.time_zone),
        lasted=lambda cause: lasted(cause, lang),
        shade=shade,
        results=lambda window: {line.item.code: line.result for line in window.lines},
        points_of=lambda items: sum(item.points for item in items),
    )


def shade(points: int, points_max: int) -> str:
    """How well it went, as a name for the style: full, good, fair or poor."""
    if points == points_max:
        return "full"
    if 10 * points >= 9 * points_max:
        return "good"
    return "fair" if 10 * points >= 6 * points_max else "poor"


def local_time(at: datetime, time_zone: str) -> str:
    """An instant on the hall's own clock, to the second."""
    return at.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M:%S")


def lasted(cause: Cause, lang: Lang) -> str:
    """How long it lasted: `1小时05分`, `4分10秒`; empty for what has no duration."""
    if cause.lasted_ms is None:
        return ""
    minutes, seconds = divmod(cause.lasted_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    words = WORDS[lang]
    if hours:
        return words["hours"].format(hours=hours, minutes=f"{minutes:02d}")
    if minutes:
        return words["minutes"].format(minutes=minutes, seconds=f"{seconds:02d}")
    return words["seconds"].format(seconds=seconds)


def _in(lang: Lang, row: object, name: str) -> str:
    """A text in the language asked for."""
    text: str = getattr(row, name if lang == "zh" else f"{name}_en")
    return text
