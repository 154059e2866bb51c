"""TOML files that a person writes: bounded, and what is wrong is said in a sentence.

The catalogue, the rulebook and the maps of recorded files are all read through here.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from floor.refusals import Unusable

FILE_BYTES_MAX = 1_000_000  # A large hall's catalogue has some 200 kB.

Shape = TypeVar("Shape", bound=msgspec.Struct)


class Written:
    """One kind of file, by what it is called and what its faults are raised as.

    Args:
        zh, en: its name within a sentence, 目录 and `catalogue`.
        fault: raised with a sentence in both languages.
    """

    def __init__(self, zh: str, en: str, fault: type[Unusable]) -> None:
        self.zh = zh
        self.en = en
        self.fault = fault

    def read(self, path: Path) -> bytes:
        """The bytes of the file, never more than a right one has."""
        try:
            with path.open("rb") as file:
                raw = file.read(FILE_BYTES_MAX + 1)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path.
            why = getattr(error, "strerror", None) or error
            raise self.fault(
                f"读不到{self.zh}文件 {path.name}：{why}",
                f"The {self.en} {path.name} cannot be read: {why}",
            ) from None
        if len(raw) > FILE_BYTES_MAX:
            raise self.fault(
                f"{self.zh}文件超过 {FILE_BYTES_MAX} 字节",
                f"The {self.en} is larger than {FILE_BYTES_MAX} bytes",
            )
        return raw

    def table(self, raw: bytes) -> dict[str, Any]:
        """The TOML table that the bytes hold."""
        try:
            return tomllib.loads(raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise self.fault(
                f"{self.zh}文件不是 UTF-8 编码（第 {error.start} 字节）",
                f"The {self.en} is not UTF-8 (byte {error.start})",
            ) from None
        except (ValueError, RecursionError) as error:
            # TOMLDecodeError, or a number or a nesting that no parser would follow.
            raise self.fault(
                f"{self.zh}文件不是有效的 TOML：{error}",
                f"The {self.en} is not valid TOML: {error}",
            ) from None

    def shaped(self, table: dict[str, Any], shape: type[Shape]) -> Shape:
        """The table as what it should be."""
        try:
            return msgspec.convert(table, shape)
        except msgspec.ValidationError as error:
            self._not_right(place_of(str(error), table), error)

    def _not_right(self, place: str, error: Exception) -> NoReturn:
        raise self.fault(
            f"{self.zh}中“{place or '顶层'}”填写有误：{error}",
            f"The {self.en} is not right at {place or 'the top'!r}: {error}",
        ) from None


def place_of(error: str, table: dict[str, Any]) -> str:
    """Where a fault is: `items[2].prefix`, or `B1 points` where the row has a code."""
    place = re.search(r" - at `\$\.?([^`]*)`", error)
    field = re.search(r"(?:required|unknown) field `(.*?)`", error)
    name = ".".join(part[1] for part in (place, field) if part and part[1])
    numbered = re.match(r"(\w+)\[(\d+)\]\.?(.*)", name)
    if numbered:
        rows = table.get(numbered[1])
        row = rows[int(numbered[2])] if isinstance(rows, list) else None
        code = row.get("code") if isinstance(row, dict) else None
        if isinstance(code, str):
            return f"{code} {numbered[3]}".strip()
    return name
