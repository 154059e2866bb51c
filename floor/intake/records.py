"""The records of a CSV file that nobody here made, plain or gzipped.

Read in bounded memory whatever is in it. A line that is no record is refused and the
next one read; what is wrong with the whole file is a `BadFile`.
"""

import csv
import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from floor.intake.maps import FileShape
from floor.refusals import Refused, Unusable

# A hundred days of a large city hall (5,000 tickets a day); a longer file is to be
# split, since all rows are held in memory until their days are in order.
ROWS_MAX = 500_000
LINES_MAX = 2 * ROWS_MAX  # Blank lines end somewhere, too.
CHARS_MAX = 500_000_000
LINE_CHARS_MAX = 10_000
RECORD_LINES_MAX = 20  # A quote left open must not swallow the rest of the file.
TEXT_CHARS_MAX = 200  # Of a refused row in the report: enough to find it.


class BadFile(Unusable):
    """The file cannot be imported at all."""


class Record(msgspec.Struct, frozen=True):
    """The cells of one row, and where it begins."""

    line: int
    text: str
    cells: list[str]


class RefusedRow(msgspec.Struct, frozen=True):
    """A row that cannot be true, and why."""

    line: int
    text: str
    why: Refused


def records(path: Path, shape: FileShape) -> Iterator[Record | RefusedRow]:
    """Every record of the file, the header first; blank lines are none.

    Raises:
        BadFile: it cannot be read, or is too large.
    """
    lines = _lines(path, shape.encoding)
    ahead: deque[_Line] = deque()
    rows = -1  # The header is no row.
    while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
        if not line.text.strip(" "):
            continue
        rows += 1
        if rows > ROWS_MAX:
            raise _too_much(path, f"{ROWS_MAX} 行", f"{ROWS_MAX} rows")
        try:
            record, used = _record(line, ahead, lines, shape.delimiter)
        except Refused as why:
            yield RefusedRow(line.number, shown(line.text), why)
        else:
            for _ in range(used):
                ahead.popleft()
            yield record


def _record(
    first: "_Line", ahead: "deque[_Line]", lines: "Iterator[_Line]", delimiter: str
) -> tuple[Record, int]:
    """The record that begins on a line, and how many more lines it runs over.

    Lines that were looked at stay in `ahead`: if the quote turns out to be a stray
    one, only the first line is lost.
    """
    text = first.text
    for used in range(RECORD_LINES_MAX):
        try:
            cells = _cells(text, first.whole, delimiter)
        except BadQuotes:
            # An even number of quotes is all closed: more lines cannot help.
            if text.count('"') % 2 == 0:
                raise
            if used == len(ahead):
                if (more := next(lines, None)) is None:
                    raise
                ahead.append(more)
            text += "\n" + ahead[used].text
            if len(text) > LINE_CHARS_MAX:
                raise
        else:
            return Record(first.number, shown(text), cells), used
    raise BadQuotes


def _cells(text: str, whole: bool, delimiter: str) -> list[str]:
    if not whole:
        raise LineTooLong
    escaped = not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text)
    if escaped or "\0" in text:
        raise NotText
    try:
        cells = next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        raise BadQuotes from None
    return [cell.strip() for cell in cells]


def shown(text: str) -> str:
    """A text as the report shows it: short, on one line, without control characters."""
    cut = text[:TEXT_CHARS_MAX]
    if not cut.isprintable():
        cut = "".join(char if char.isprintable() else "�" for char in cut)
    return cut + "…" if len(text) > TEXT_CHARS_MAX else cut


# ── Lines ───────────────────────────────────────────────────────────────────


class _Line(msgspec.Struct, frozen=True):
    number: int
    text: str
    whole: bool  # False when it was longer than any right line could be.


def _lines(path: Path, encoding: str) -> Iterator[_Line]:
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            plain = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
            # Bytes that are no text become surrogates, for which a row is refused.
            text = io.TextIOWrapper(plain, encoding, errors="surrogateescape")
            yield from _bounded(path, text)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadFile(
            f"{path.name} 的压缩数据已损坏", f"{path.name} is broken gzip data"
        ) from None
    except UnicodeDecodeError:
        raise BadFile(
            f"{path.name} 不是 {encoding} 编码的文字",
            f"{path.name} is not text in {encoding}",
        ) from None
    except OSError as error:
        raise BadFile(
            f"读不到 {path.name}：{error.strerror or error}",
            f"{path.name} cannot be read: {error.strerror or error}",
        ) from None


def _bounded(path: Path, text: io.TextIOWrapper) -> Iterator[_Line]:
    number = chars = 0
    while start := text.readline(LINE_CHARS_MAX):
        number, piece, whole = number + 1, start, True
        while len(piece) == LINE_CHARS_MAX and not piece.endswith("\n"):
            whole = False
            chars += LINE_CHARS_MAX
            if chars > CHARS_MAX:
                break
            piece = text.readline(LINE_CHARS_MAX)
        chars += len(piece)
        if number > LINES_MAX:
            raise _too_much(path, f"{LINES_MAX} 行", f"{LINES_MAX} lines")
        if chars > CHARS_MAX:
            raise _too_much(path, f"{CHARS_MAX} 字", f"{CHARS_MAX} characters")
        yield _Line(number, start.rstrip("\n"), whole)


def _too_much(path: Path, zh: str, en: str) -> BadFile:
    return BadFile(
        f"{path.name} 超过 {zh}，请分成几个文件导入",
        f"{path.name} is larger than {en}; split it into several files",
    )


# ── Why a line is no record ─────────────────────────────────────────────────


class LineTooLong(Refused):
    """The line is longer than any ticket."""

    zh = f"这一行超过 {LINE_CHARS_MAX} 字"
    en = f"The line is longer than {LINE_CHARS_MAX} characters"


class NotText(Refused):
    """The line has bytes that are no text in the encoding of the map."""

    zh = "这一行有不是文字的字节"
    en = "The line has bytes that are not text in the file's encoding"


class BadQuotes(Refused):
    """A quoted cell does not end, or goes on after its end."""

    zh = "这一行的引号不成对"
    en = "The quotes of the line do not match"
