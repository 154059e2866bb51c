"""Every sentence that visitors read or hear, in Chinese and in English.

Screens and strips show digits; the voice never gets one. The speech engine reads
A108 as 一百八, which is how people say A180, and drops 零 elsewhere: 72 of the tickets
100 to 999 would sound like another one. So tickets are spelt digit by digit, with 幺
for 1 as on the telephone, and windows are written out as numerals.
"""

import re
import unicodedata
from typing import Literal

from floor.day import WindowState

Lang = Literal["zh", "en"]

CALL = {
    "zh": "请{ticket}号到{window}窗口办理",
    "en": "Ticket {ticket}, please go to window {window}",
}
HURRY = {"zh": "，请尽快", "en": ", as soon as possible"}

STRIP: dict[Lang, dict[WindowState, str]] = {
    "zh": {
        "called": "请{ticket}到{window}窗口",
        "serving": "{ticket} 办理中",
        "free": "欢迎光临",
        "paused": "暂停服务",
        "closed": "未开窗",
    },
    "en": {
        "called": "{ticket} to window {window}",
        "serving": "Serving {ticket}",
        "free": "Welcome",
        "paused": "Paused",
        "closed": "Not open",
    },
}
SIGNAL_LOST = {"zh": "信号中断", "en": "No signal"}

DIGITS: dict[Lang, tuple[str, ...]] = {
    "zh": tuple("零幺二三四五六七八九"),
    "en": (
        *("zero", "one", "two", "three", "four"),
        *("five", "six", "seven", "eight", "nine"),
    ),
}
NUMERALS = "零一二三四五六七八九"
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen"),
    *("sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = (
    *("", "", "twenty", "thirty", "forty", "fifty"),
    *("sixty", "seventy", "eighty", "ninety"),
)
# A hall has 500 windows at most; a longer number is a code and is read digit by digit.
NUMERAL_MAX = 999
# A short run of capitals is an abbreviation and is spelt; a longer one is a word.
SPELT_MAX = 3


def call(ticket: str, window: str, lang: Lang = "zh", times: int = 1) -> str:
    """A call as a screen shows it: 请A012号到3号窗口办理.

    Args:
        ticket: its number as printed.
        window: id of the window.
        lang: the language of the sentence.
        times: how often it has been called; again means hurry (请尽快).
    """
    hurry = HURRY[lang] if times > 1 else ""
    shown = window_label(window, lang)
    return CALL[lang].format(ticket=ticket, window=shown) + hurry


def spoken(ticket: str, window: str, lang: Lang = "zh", times: int = 1) -> str:
    """A call as the voice is to say it, without any digit: 请A零幺二号到三号窗口办理.

    The arguments are those of `call`.
    """
    hurry = HURRY[lang] if times > 1 else ""
    sentence = CALL[lang].format(
        ticket=ticket_aloud(ticket, lang), window=window_aloud(window, lang)
    )
    return sentence + hurry


def strip(state: WindowState, ticket: str, window: str, lang: Lang = "zh") -> str:
    """What the strip above a window shows: 请A012到3号窗口, 暂停服务."""
    shown = window_label(window, lang)
    return STRIP[lang][state].format(ticket=ticket, window=shown)


def window_label(window: str, lang: Lang = "zh") -> str:
    """A window as it is shown: `3号`, and one that has a name by that name."""
    return f"{window}号" if lang == "zh" and window.isdecimal() else window


def ticket_aloud(ticket: str, lang: Lang = "zh") -> str:
    """A ticket's number spelt letter by letter and digit by digit: A幺零八."""
    parts = [
        _digits(part, lang) if part.isdecimal() else _letters(part, lang)
        for part in _parts(ticket)
    ]
    # In English the pause keeps the letter A from being read as the article.
    return ("" if lang == "zh" else ", ").join(parts)


def window_aloud(window: str, lang: Lang = "zh") -> str:
    """A window as it is said: 十二号; one that has a name as it is given."""
    if window.isdecimal():
        return _number(window, lang) + ("号" if lang == "zh" else "")
    parts = [
        _number(part, lang) if part.isdecimal() else _word(part, lang)
        for part in _parts(window)
    ]
    return ("" if lang == "zh" else " ").join(parts)


def _parts(name: str) -> list[str]:
    """Runs of digits, of Latin letters and of anything else, without punctuation."""
    plain = unicodedata.normalize("NFKC", name)
    return re.findall(r"\d+|[A-Za-z]+|[^\W\dA-Za-z_]+", plain)


def _digits(digits: str, lang: Lang) -> str:
    spelt = [DIGITS[lang][int(digit)] for digit in digits]
    return ("" if lang == "zh" else " ").join(spelt)


def _letters(letters: str, lang: Lang) -> str:
    # Letters side by side are read as a word (AP: "ap"), and a lone A before another
    # one as the article; a comma between them makes each be said by its name.
    return ("、" if lang == "zh" else ", ").join(letters)


def _word(word: str, lang: Lang) -> str:
    if word.isascii() and word.isupper() and len(word) <= SPELT_MAX:
        return _letters(word, lang)
    return word


def _number(digits: str, lang: Lang) -> str:
    number = int(digits) if len(digits) <= len(str(NUMERAL_MAX)) else NUMERAL_MAX + 1
    if number > NUMERAL_MAX:
        return _digits(digits, lang)
    return _numeral(number) if lang == "zh" else _english(number)


def _numeral(number: int) -> str:
    """12 as 十二, 20 as 二十, 108 as 一百零八, 110 as 一百一十."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    words = f"{NUMERALS[hundreds]}百" if hundreds else ""
    if tens:
        words += f"{NUMERALS[tens]}十" if hundreds or tens > 1 else "十"
    elif hundreds and ones:
        words += "零"
    if ones or not number:
        words += NUMERALS[ones]
    return words


def _english(number: int) -> str:
    """12 as twelve, 20 as twenty, 108 as one hundred and eight."""
    hundreds, rest = divmod(number, 100)
    words = [DIGITS["en"][hundreds], "hundred"] if hundreds else []
    if hundreds and rest:
        words.append("and")
    if rest >= 20:
        words.append(TENS[rest // 10])
        rest %= 10
        if rest:
            words.append(DIGITS["en"][rest])
    elif rest >= 10:
        words.append(TEENS[rest - 10])
    elif rest or not hundreds:
        words.append(DIGITS["en"][rest])
    return " ".join(words)
