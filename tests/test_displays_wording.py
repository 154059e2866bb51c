"""What visitors read and hear, word for word."""

from typing import get_args

import pytest

from displays import wording
from displays.wording import Lang

LANGS: tuple[Lang, ...] = get_args(Lang)

PREFIXES = ("A", "B", "E", "R", "AP", "VIP")


@pytest.mark.parametrize(
    ("ticket", "window", "shown", "said"),
    [
        ("A012", "3", "请A012号到3号窗口办理", "请A零幺二号到三号窗口办理"),
        ("A108", "12", "请A108号到12号窗口办理", "请A幺零八号到十二号窗口办理"),
        ("A180", "20", "请A180号到20号窗口办理", "请A幺八零号到二十号窗口办理"),
        (
            "B1000",
            "101",
            "请B1000号到101号窗口办理",
            "请B幺零零零号到一百零一号窗口办理",
        ),
        (
            "AP001",
            "110",
            "请AP001号到110号窗口办理",
            "请A、P零零幺号到一百一十号窗口办理",
        ),
        ("A001", "VIP", "请A001号到VIP窗口办理", "请A零零幺号到V、I、P窗口办理"),
        ("A001", "东厅3", "请A001号到东厅3窗口办理", "请A零零幺号到东厅三窗口办理"),
        ("A001", "2F-12", "请A001号到2F-12窗口办理", "请A零零幺号到二F十二窗口办理"),
        ("A001", "03", "请A001号到03号窗口办理", "请A零零幺号到三号窗口办理"),
        ("A001", "\uff12", "请A001号到\uff12号窗口办理", "请A零零幺号到二号窗口办理"),
    ],
)
def test_a_call_in_chinese(ticket: str, window: str, shown: str, said: str) -> None:
    assert wording.call(ticket, window) == shown
    assert wording.spoken(ticket, window) == said


def test_a_call_in_english() -> None:
    assert wording.call("A108", "3", "en") == "Ticket A108, please go to window 3"
    assert wording.spoken("A108", "3", "en") == (
        "Ticket A, one zero eight, please go to window three"
    )
    assert wording.spoken("AP001", "112", "en") == (
        "Ticket A, P, zero zero one, please go to window one hundred and twelve"
    )


def test_a_recall_asks_to_hurry() -> None:
    assert wording.call("A012", "3", times=2) == "请A012号到3号窗口办理，请尽快"
    assert wording.spoken("A012", "3", times=2).endswith("办理，请尽快")
    assert wording.spoken("A012", "3", "en", 3).endswith(", as soon as possible")
    assert "请尽快" not in wording.spoken("A012", "3", times=1)


def test_no_digit_ever_reaches_the_engine() -> None:
    for lang in LANGS:
        for number in range(1, 10_000):
            prefix = PREFIXES[number % len(PREFIXES)]
            said = wording.spoken(f"{prefix}{number:03d}", "1", lang)
            assert not any(char.isdecimal() for char in said), said
        for window in range(1, 201):
            said = wording.spoken("A001", str(window), lang)
            assert not any(char.isdecimal() for char in said), said
        for odd in ("1-2-3", "9" * 40, "00", "a1b2", "٣", "①", "x²", "0"):
            said = wording.spoken("A001", odd, lang)
            assert not any(char.isdecimal() for char in said), said


@pytest.mark.parametrize("lang", LANGS)
def test_no_two_tickets_and_no_two_windows_sound_alike(lang: Lang) -> None:
    tickets = {
        wording.spoken(f"{prefix}{number:03d}", "1", lang)
        for prefix in PREFIXES
        for number in range(1, 1000)
    }
    assert len(tickets) == 999 * len(PREFIXES)
    windows = {wording.window_aloud(str(window), lang) for window in range(1, 501)}
    assert len(windows) == 500


def test_numerals_say_the_number() -> None:
    """Each numeral up to 999 read back by the rules of Chinese numerals."""
    for number in range(1000):
        numeral = wording.window_aloud(str(number)).removesuffix("号")
        assert value_of(numeral) == number, numeral
        assert "一十" not in numeral or numeral.startswith(tuple("一二三四五六七八九"))
    assert wording.window_aloud("10") == "十号"
    assert wording.window_aloud("0") == "零号"
    assert wording.window_aloud("1205") == "幺二零五号"


def value_of(numeral: str) -> int:
    total, digit = 0, 0
    for char in numeral:
        if char in "百十":
            total += (digit or 1) * {"百": 100, "十": 10}[char]
            digit = 0
        else:
            digit = "零一二三四五六七八九".index(char)
    return total + digit


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("1", "one"),
        ("10", "ten"),
        ("19", "nineteen"),
        ("20", "twenty"),
        ("42", "forty two"),
        ("100", "one hundred"),
        ("101", "one hundred and one"),
        ("215", "two hundred and fifteen"),
        ("1205", "one two zero five"),
    ],
)
def test_windows_in_english(number: str, words: str) -> None:
    assert wording.window_aloud(number, "en") == words


def test_strips_say_what_the_window_does() -> None:
    assert wording.strip("called", "A012", "3") == "请A012到3号窗口"
    assert wording.strip("serving", "A012", "3") == "A012 办理中"
    assert wording.strip("free", "", "3") == "欢迎光临"
    assert wording.strip("paused", "", "3") == "暂停服务"
    assert wording.strip("closed", "", "3") == "未开窗"
    assert wording.strip("called", "A012", "3", "en") == "A012 to window 3"


def test_names_with_braces_are_only_names() -> None:
    assert wording.call("{window}", "{ticket}") == "请{window}号到{ticket}窗口办理"
