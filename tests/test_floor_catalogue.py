"""A hall's catalogue: what a person may write, and how it is told what is wrong."""

import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from floor.catalogue import (
    WEEKDAYS,
    BadCatalogue,
    Catalogue,
    Hours,
    check,
    load,
    minutes,
)
from floor.written import FILE_BYTES_MAX
from timeline import SAMPLE

SECOND = timedelta(seconds=1)
SMALL = """
hall = "hall-1"
name = "测试大厅"
name_en = "Test hall"
time_zone = "Asia/Shanghai"

[hours]
open = "09:00"
close = "17:00"
lunch = ["12:00", "13:30"]
days = ["mon", "tue", "wed", "thu", "fri"]
day_starts = "00:00"

[[items]]
id = "huji"
name = "户籍"
name_en = "Households"
prefix = "A"
service_s = 600

[[items]]
id = "shebao"
name = "社保"
name_en = "Social insurance"
prefix = "B"

[[windows]]
id = "1"
name = "综合"
name_en = "General"
department = "公安局"
items = ["huji", "shebao"]
"""


def loaded(tmp_path: Path, text: str | bytes) -> Catalogue:
    path = tmp_path / "hall.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


# ── Good ones ───────────────────────────────────────────────────────────────


def test_the_sample_hall_is_right() -> None:
    catalogue = load(SAMPLE)
    assert catalogue.hall == "hall-1"
    assert len(catalogue.items) >= 10
    assert len(catalogue.windows) >= 10
    assert {len(item.prefix) for item in catalogue.items} == {1}
    assert catalogue.zone == ZoneInfo("Asia/Shanghai")


def test_two_items_share_no_letters_with_an_appointment_or_without() -> None:
    """AP001 is an appointment of A, so no other item may have the letters AP."""
    other = SMALL.replace('prefix = "B"', 'prefix = "AP"')
    assert loaded_text(other).booking.quota == 0
    for booking in ("[booking]\nquota = 1\n", ""):
        text = other.replace("[hours]", f"{booking}[hours]")
        if not booking:
            text = other.replace('prefix = "A"', 'prefix = "A"\nbooking_quota = 1')
        with pytest.raises(BadCatalogue, match="号码前缀“AP”重复"):
            check(loaded_text(text))


def loaded_text(text: str) -> Catalogue:
    return msgspec.toml.decode(text, type=Catalogue)


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    catalogue = loaded(tmp_path, SMALL.replace('time_zone = "Asia/Shanghai"', ""))
    assert catalogue.time_zone == "Asia/Shanghai"
    social = catalogue.item("shebao")
    assert social is not None
    assert (social.service_s, social.wait_s) == (900, 1800)
    assert catalogue.item("nothing") is None
    window = catalogue.window("1")
    assert window is not None
    assert window.items == ("huji", "shebao")
    assert catalogue.window("2") is None


def test_a_catalogue_survives_the_log(tmp_path: Path) -> None:
    catalogue = loaded(tmp_path, SMALL)
    text = msgspec.json.encode(catalogue)
    assert msgspec.json.decode(text, type=Catalogue) == catalogue


# ── Bad ones: one sentence each, in both languages ──────────────────────────

#: What is replaced in the small hall, by what, and what the sentences must say.
BAD: list[tuple[str, str, str, str]] = [
    ('hall = "hall-1"', "", "“hall”", "`hall`"),
    ('hall = "hall-1"', 'hall = "Hall 1"', "“hall”", "`$.hall`"),
    ('hall = "hall-1"', "hall = 1", "“hall”", "`$.hall`"),
    ('name = "测试大厅"', 'name = ""', "“name”", "`$.name`"),
    ('name = "测试大厅"', 'name = "测试大厅"\nmood = 1', "“mood”", "`mood`"),
    (
        'time_zone = "Asia/Shanghai"',
        'time_zone = "Asia/Atlantis"',
        "没有“Asia/Atlantis”这个时区",
        "There is no time zone 'Asia/Atlantis'",
    ),
    ('"Asia/Shanghai"', '""', "没有“”这个时区", "There is no time zone ''"),
    ('"Asia/Shanghai"', '"Asia"', "没有“Asia”这个时区", "no time zone 'Asia'"),
    ('"Asia/Shanghai"', '"../../etc/passwd"', "这个时区", "no time zone"),
    ('"Asia/Shanghai"', '"a\\u0000b"', "这个时区", "no time zone"),
    ('"Asia/Shanghai"', f'"{"a" * 5_000}"', "这个时区", "no time zone"),
    ('open = "09:00"', 'open = "9:00"', "“hours.open”", "`$.hours.open`"),
    ('open = "09:00"', 'open = "25:00"', "“hours.open”", "`$.hours.open`"),
    ('open = "09:00"', 'open = "09:60"', "“hours.open”", "`$.hours.open`"),
    ('open = "09:00"', "open = 09:00:00", "“hours.open”", "`$.hours.open`"),
    ('open = "09:00"', 'open = "18:00"', "开门 < 午休开始", "open < lunch from"),
    ('["12:00", "13:30"]', '["13:30", "12:00"]', "午休结束", "lunch to < close"),
    ('["12:00", "13:30"]', '["12:00"]', "开放时间应为", "Hours must run"),
    ('["12:00", "13:30"]', '["08:00", "08:30"]', "开放时间应为", "Hours must run"),
    ('["12:00", "13:30"]', '["09:00", "10:00"]', "开放时间应为", "Hours must run"),
    (
        '["12:00", "13:30"]',
        '["12:00", "13:00", "14:00"]',
        "“hours.lunch”",
        "`$.hours.lunch`",
    ),
    ('"mon", "tue"', '"monday"', "“monday”不是星期", "'monday' is not a weekday"),
    ('id = "huji"\n', "", "“items[0].id”", "missing required field `id`"),
    ('id = "huji"', 'id = "户 籍"', "“items[0].id”", "`$.items[0].id`"),
    ('prefix = "A"', 'prefix = "a"', "“items[0].prefix”", "`$.items[0].prefix`"),
    ('prefix = "A"', 'prefix = "ABCD"', "prefix", "prefix"),
    ('prefix = "B"', 'prefix = "A"', "号码前缀“A”重复", "The prefix 'A' stands twice"),
    (
        'id = "shebao"',
        'id = "huji"',
        "事项 id“huji”重复",
        "The item id 'huji' stands twice",
    ),
    ("service_s = 600", "service_s = 0", "service_s", "`$.items[0].service_s`"),
    ("service_s = 600", "service_s = -5", "service_s", "service_s"),
    ("service_s = 600", "service_s = 1.5", "service_s", "service_s"),
    ("service_s = 600", "service_s = true", "service_s", "service_s"),
    ("service_s = 600", 'service_s = "600"', "service_s", "service_s"),
    ("service_s = 600", "service_s = nan", "service_s", "service_s"),
    ("service_s = 600", f"service_s = {'9' * 40}", "service_s", "service_s"),
    ("service_s = 600", f"service_s = {'9' * 5_000}", "不是有效的 TOML", "not valid"),
    (
        'items = ["huji", "shebao"]',
        'items = ["huji", "feixing"]',
        "1 号窗口的事项“feixing”不在目录中",
        "Window 1 names an unknown item 'feixing'",
    ),
    (
        'items = ["huji", "shebao"]',
        'items = ["huji"]',
        "没有窗口办理事项“shebao”",
        "No window handles item 'shebao'",
    ),
    (
        'items = ["huji", "shebao"]',
        'items = ["huji", "shebao", "huji"]',
        "1 号窗口的事项“huji”重复",
        "The item of window 1 'huji' stands twice",
    ),
    ('items = ["huji", "shebao"]', "items = []", "windows[0].items", "items"),
    (
        'items = ["huji", "shebao"]',
        'items = ["huji", "shebao"]\nhelps = { feixing = 1 }',
        "1 号窗口的事项“feixing”不在目录中",
        "Window 1 names an unknown item 'feixing'",
    ),
    (
        'items = ["huji", "shebao"]',
        'items = ["huji", "shebao"]\nweights = { feixing = 1 }',
        "1 号窗口的事项“feixing”不在目录中",
        "Window 1 names an unknown item 'feixing'",
    ),
    (
        'items = ["huji", "shebao"]',
        'items = ["huji", "shebao"]\nhelps = { huji = 1 }',
        "1 号窗口本来就办理“huji”，不必再列为支援",
        "Window 1 handles 'huji' anyway and need not help with it",
    ),
    (
        'items = ["huji", "shebao"]',
        'items = ["huji", "shebao"]\nweights = { huji = 0 }',
        "weights",
        "weights",
    ),
    (
        'prefix = "A"',
        'prefix = "A"\nfirst = 9\nlast = 8',
        "事项“huji”的起始号大于结束号",
        "The numbers of item 'huji' end before they begin",
    ),
    (
        'prefix = "A"',
        'prefix = "A"\nthen = ["huji"]',
        "事项“huji”的下一步“huji”不是目录中的另一个事项",
        "Item 'huji' leads to 'huji', which is no other item",
    ),
    (
        'prefix = "A"',
        'prefix = "A"\nthen = ["feixing"]',
        "事项“huji”的下一步“feixing”不是目录中的另一个事项",
        "Item 'huji' leads to 'feixing', which is no other item",
    ),
    ('prefix = "A"', 'prefix = "A"\ndigits = 7', "digits", "digits"),
    (
        "[hours]",
        '[[grounds]]\nid = "x"\nname = "x"\nname_en = "x"\nkind = "care"\n'
        '[[grounds]]\nid = "x"\nname = "x"\nname_en = "x"\nkind = "care"\n[hours]',
        "优先理由“x”重复",
        "The ground 'x' stands twice",
    ),
    (
        "[hours]",
        '[[pauses]]\nname = "x"\nname_en = "x"\n'
        '[[pauses]]\nname = "x"\nname_en = "x"\n[hours]',
        "暂停事由“x”重复",
        "The pause reason 'x' stands twice",
    ),
    ("[hours]", '[policy]\nname = "lottery"\n[hours]', "policy.name", "policy.name"),
    ("[hours]", "[calling]\nreturn_place = -2\n[hours]", "return_place", "return_"),
    ("[hours]", "[taking]\nopen_per_item = 0\n[hours]", "open_per_item", "open_per"),
    ("[hours]", "[booking]\nmemory_days = 32\n[hours]", "memory_days", "memory_"),
    ("[hours]", "[calling]\nundo = 3\n[hours]", "“calling.undo”", "`undo`"),
    ("[[windows]]", "[windows]", "“windows”", "`$.windows`"),
    ("[hours]", "[hours", "不是有效的 TOML", "not valid TOML"),
    ('hall = "hall-1"', 'hall = "hall-1', "不是有效的 TOML", "not valid TOML"),
    ('hall = "hall-1"', "hall = " + "[" * 9_000, "不是有效的 TOML", "not valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "zh", "en"), BAD)
def test_a_mistake_gets_its_sentence_in_both_languages(
    tmp_path: Path, old: str, new: str, zh: str, en: str
) -> None:
    assert old in SMALL
    with pytest.raises(BadCatalogue) as bad:
        loaded(tmp_path, SMALL.replace(old, new, 1))
    message = bad.value.message
    assert zh in message["zh"]
    assert en in message["en"]
    assert str(bad.value) == f"{message['zh']} / {message['en']}"
    assert len(str(bad.value)) < 12_000


def test_a_window_that_stands_twice_is_named(tmp_path: Path) -> None:
    window = SMALL[SMALL.index("[[windows]]") :]
    with pytest.raises(BadCatalogue) as bad:
        loaded(tmp_path, SMALL + window)
    assert bad.value.message == {
        "zh": "窗口 id“1”重复",
        "en": "The window id '1' stands twice",
    }


def test_a_hall_without_items_or_windows_is_refused(tmp_path: Path) -> None:
    head = SMALL[: SMALL.index("[[items]]")]
    windows = SMALL[SMALL.index("[[windows]]") :]
    with pytest.raises(BadCatalogue, match="事项应为 1 到 2000 个"):
        loaded(tmp_path, "items = []\n" + head + windows)
    items = SMALL[SMALL.index("[[items]]") : SMALL.index("[[windows]]")]
    with pytest.raises(BadCatalogue, match="窗口应为 1 到 500 个"):
        loaded(tmp_path, "windows = []\n" + head + items)


def test_a_hall_with_too_much_is_refused(tmp_path: Path) -> None:
    windows = "".join(
        f'[[windows]]\nid = "w{n}"\nname = "x"\nname_en = "x"\ndepartment = "x"\n'
        'items = ["huji", "shebao"]\n'
        for n in range(501)
    )
    with pytest.raises(BadCatalogue, match="窗口应为 1 到 500 个"):
        loaded(tmp_path, SMALL[: SMALL.index("[[windows]]")] + windows)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCatalogue) as bad:
        load(tmp_path / "absent.toml")
    assert "absent.toml" in bad.value.message["zh"]
    assert "absent.toml" in bad.value.message["en"]
    with pytest.raises(BadCatalogue, match="cannot be read"):
        load(tmp_path)
    with pytest.raises(BadCatalogue, match="不是 UTF-8 编码（第 1 字节）"):
        loaded(tmp_path, b"#\xff")
    with pytest.raises(BadCatalogue, match=f"超过 {FILE_BYTES_MAX} 字节"):
        loaded(tmp_path, SMALL + "#" * FILE_BYTES_MAX)


# ── Anything at all ─────────────────────────────────────────────────────────

LINES = SMALL.splitlines()
SCRAPS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(['"', "[", "]", "{", "=", "'''", "\\", "nan", "[[items]]", "\x00"]),
    st.sampled_from(LINES),
    st.integers().map(str),
)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The small hall after a few careless edits."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        edit = draw(st.sampled_from(["drop", "put", "replace", "value", "cut"]))
        if edit == "drop" and len(lines) > 1:
            del lines[at]
        elif edit == "put":
            lines.insert(at, draw(SCRAPS))
        elif edit == "replace":
            lines[at] = draw(SCRAPS)
        elif edit == "value":
            lines[at] = lines[at].partition("=")[0] + "=" + draw(SCRAPS)
        else:
            lines[at] = lines[at][: draw(st.integers(0, 20))]
    return "\n".join(lines)


@given(text=mutations())
@example(text="a = " + "[" * 100_000)
@example(text="a = " + "{b=" * 50_000)
@example(text=".".join("a" for _ in range(1_000)) + " = 1")
@settings(max_examples=300, deadline=None)
def test_any_mutation_is_a_catalogue_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        catalogue = load(path)
    except BadCatalogue as bad:
        sentences = bad.message
    else:
        sentences = {"zh": catalogue.name, "en": catalogue.name_en}
        assert catalogue.business_date(datetime(2026, 11, 23, tzinfo=UTC))
        catalogue.open_spans(date(2026, 11, 23))
    assert all(sentences[language] for language in ("zh", "en"))


@given(raw=st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_random_bytes_get_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.toml"
    path.write_bytes(raw)
    with pytest.raises(BadCatalogue):
        load(path)


# ── Time ────────────────────────────────────────────────────────────────────


def with_hours(zone: str = "Asia/Shanghai", **hours: object) -> Catalogue:
    table = tomllib.loads(SMALL) | {"time_zone": zone}
    table["hours"] = table["hours"] | hours
    return msgspec.convert(table, Catalogue)


def test_open_spans_leave_out_lunch_and_are_utc() -> None:
    spans = with_hours().open_spans(date(2026, 11, 23))
    assert spans == (
        (
            datetime(2026, 11, 23, 1, tzinfo=UTC),
            datetime(2026, 11, 23, 4, tzinfo=UTC),
        ),
        (
            datetime(2026, 11, 23, 5, 30, tzinfo=UTC),
            datetime(2026, 11, 23, 9, tzinfo=UTC),
        ),
    )
    assert {at.tzinfo for span in spans for at in span} == {UTC}
    without = with_hours(lunch=[]).open_spans(date(2026, 11, 23))
    assert [to - since for since, to in without] == [timedelta(hours=8)]


def test_a_hall_has_no_hours_on_a_day_it_does_not_open() -> None:
    assert with_hours().open_spans(date(2026, 11, 22)) == ()
    assert with_hours(days=["sun"]).open_spans(date(2026, 11, 22)) != ()
    assert with_hours(days=[]).open_spans(date(2026, 11, 23)) == ()
    assert date(2026, 11, 23).weekday() == WEEKDAYS.index("mon")


@pytest.mark.parametrize(
    ("day", "hours_utc"),
    [
        (date(2026, 3, 27), 8),  # The last Friday of winter time.
        (date(2026, 3, 30), 7),  # The first Monday of summer time.
        (date(2026, 10, 23), 7),
        (date(2026, 10, 26), 8),
    ],
)
def test_open_spans_follow_summer_time(day: date, hours_utc: int) -> None:
    spans = with_hours("Europe/Berlin").open_spans(day)
    assert spans[0][0] == datetime(day.year, day.month, day.day, hours_utc, tzinfo=UTC)
    assert [to - since for since, to in spans] == [
        timedelta(hours=3),
        timedelta(hours=3, minutes=30),
    ]


def test_a_span_over_the_change_has_its_true_length() -> None:
    night = with_hours(
        "Europe/Berlin", days=["sun"], open="00:30", close="08:00", lunch=[]
    )
    ((since, to),) = night.open_spans(date(2026, 3, 29))
    assert to - since == timedelta(hours=6, minutes=30)
    ((since, to),) = night.open_spans(date(2026, 10, 25))
    assert to - since == timedelta(hours=8, minutes=30)


@pytest.mark.parametrize(
    ("zone", "at", "day"),
    [
        ("Asia/Shanghai", datetime(2026, 11, 22, 15, 59, 59, 999_000), 22),
        ("Asia/Shanghai", datetime(2026, 11, 22, 16, 0), 23),
        ("UTC", datetime(2026, 11, 22, 16, 0), 22),
        ("UTC", datetime(2026, 11, 22, 23, 59, 59), 22),
        ("UTC", datetime(2026, 11, 23, 0, 0), 23),
        ("Asia/Urumqi", datetime(2026, 11, 22, 17, 59), 22),
        ("America/New_York", datetime(2026, 11, 23, 4, 59), 22),
    ],
)
def test_a_business_day_changes_at_midnight_of_the_hall(
    zone: str, at: datetime, day: int
) -> None:
    business = with_hours(zone).business_date(at.replace(tzinfo=UTC))
    assert business == date(2026, 11, day)


def test_a_hall_past_midnight_keeps_its_day_until_day_starts() -> None:
    night = with_hours(day_starts="04:30")
    before = datetime(2026, 11, 22, 20, 29, 59, tzinfo=UTC)  # 04:29:59 on the 23rd.
    assert night.business_date(before) == date(2026, 11, 22)
    assert night.business_date(before + timedelta(seconds=1)) == date(2026, 11, 23)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York"]),
    st.sampled_from(["00:00", "02:30", "05:00"]),
)
@settings(deadline=None)
def test_business_days_never_go_back_and_lie_by_the_local_date(
    at: datetime, zone: str, starts: str
) -> None:
    catalogue = with_hours(zone, day_starts=starts)
    day = catalogue.business_date(at)
    local = at.astimezone(ZoneInfo(zone))
    assert local.date() - day in (timedelta(0), timedelta(days=1))
    assert (local.strftime("%H:%M") >= starts) == (local.date() == day)


def test_a_clock_in_minutes() -> None:
    assert [minutes(clock) for clock in ("00:00", "09:30", "23:59")] == [0, 570, 1439]
    assert Hours().open == "09:00"


@given(
    zone=st.sampled_from(
        ["Asia/Shanghai", "America/New_York", "Africa/Cairo", "America/Sao_Paulo"]
    ),
    starts=st.sampled_from(["00:00", "00:30", "02:30", "04:00"]),
    at=st.datetimes(
        datetime(2010, 1, 2), datetime(2026, 12, 30), timezones=st.just(UTC)
    ),
    before=st.timedeltas(timedelta(), timedelta(hours=3)),
)
@example("America/New_York", "02:30", datetime(2026, 3, 8, 7, 0, tzinfo=UTC), SECOND)
@example("Africa/Cairo", "00:30", datetime(2026, 4, 23, 22, 0, tzinfo=UTC), SECOND)
@settings(deadline=None)
def test_no_instant_of_a_later_day_comes_before_a_day_is_over(
    zone: str, starts: str, at: datetime, before: timedelta
) -> None:
    """Even where the clocks change at that very hour."""
    hours = Hours(day_starts=starts)
    hall = msgspec.structs.replace(load(SAMPLE), time_zone=zone, hours=hours)
    for day in (hall.business_date(at), hall.business_date(at) - timedelta(days=1)):
        ends_at = hall.ends_at(day)
        assert hall.business_date(ends_at - before - SECOND) <= day
        if at < ends_at:
            assert hall.business_date(at) <= day
