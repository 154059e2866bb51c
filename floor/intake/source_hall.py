"""The hall as a recorded file shows it: its items, windows and clerks.

A source has no catalogue. The one made here depends on the map and on the set of
values in the file alone, never on their order, so the same file gives the same hall.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

from floor.catalogue import ITEMS_MAX, WINDOWS_MAX, Catalogue, Item, Window
from floor.intake.maps import Map
from floor.intake.records import BadFile, shown
from floor.intake.rows import Row

ID_CHARS_MAX = 40  # As `catalogue.Id` has it.
NAME_CHARS_MAX = 60  # As `catalogue.Name` has it.
HASH_CHARS = 8


class SourceHall(msgspec.Struct, frozen=True, kw_only=True):
    """A catalogue, and what the names of the source are in it.

    items: id of each item, by its name in the source.
    windows: id of each window, by the name of its server.
    own: id of the window that stands for an item's unknown ones, by the item's name.
    clerks: who signs in at a window, by its id.
    """

    catalogue: Catalogue
    items: dict[str, str]
    windows: dict[str, str]
    own: dict[str, str]
    clerks: dict[str, str]

    def window_of(self, row: Row) -> str:
        """Where the row's ticket was called to."""
        return self.windows[row.window] if row.window else self.own[row.item]


def hall_of(rows: Sequence[Row], map: Map) -> SourceHall:
    """The hall that these rows can have happened in.

    Raises:
        BadFile: more items or windows than a hall has, or names that cannot be told
            apart.
    """
    parts = {row.item: row.parts for row in rows}
    handled: dict[str, set[str]] = {}
    for row in rows:
        if row.window:
            handled.setdefault(row.window, set()).add(row.item)
    unknown = {row.item for row in rows if row.served and not row.window}
    # An item that nobody served gets a window as well; it never opens.
    nowhere = parts.keys() - set().union(*handled.values()) - unknown
    own = sorted(unknown | nowhere)
    _check_count("事项", "items", len(parts), ITEMS_MAX)
    _check_count("窗口", "windows", len(handled) + len(own), WINDOWS_MAX)
    items = _ids("事项", "item", sorted(parts))
    clerks = _ids("窗口", "window", sorted(handled))
    numbers = [str(number) for number in range(1, len(handled) + len(own) + 1)]
    windows = dict(zip(sorted(handled), numbers, strict=False))
    of_item = dict(zip(own, numbers[len(handled) :], strict=True))
    signed_in = {windows[server]: clerks[server] for server in windows}
    taken = set(signed_in.values())
    for number in of_item.values():
        clerk = f"unknown-{number}"
        while clerk in taken:  # At most once for each server.
            clerk += "-"
        signed_in[number] = clerk
    offers = {windows[server]: sorted(handled[server]) for server in windows}
    offers |= {number: [item] for item, number in of_item.items()}
    catalogue = map.catalogue(
        tuple(
            _item(name, items[name], _letters(place), parts[name], map)
            for place, name in enumerate(sorted(parts))
        ),
        tuple(
            _window(number, tuple(items[name] for name in offers[number]), map)
            for number in numbers
        ),
    )
    return SourceHall(
        catalogue=catalogue,
        items=items,
        windows=windows,
        own=of_item,
        clerks=signed_in,
    )


def _item(name: str, id: str, prefix: str, parts: tuple[str, ...], map: Map) -> Item:
    known = map.items.known.get(name)
    columns = dict(zip(map.columns.item, parts, strict=True))
    return Item(
        id=id,
        name=known.name if known else _named(map.items.name, columns, name),
        name_en=known.name_en if known else _named(map.items.name_en, columns, name),
        prefix=prefix,
        service_s=(known and known.service_s) or map.items.service_s,
        wait_s=(known and known.wait_s) or map.items.wait_s,
    )


def _named(template: str, columns: dict[str, str], name: str) -> str:
    """The template with `{column}` filled in; the item's own name when it is empty."""
    filled = re.sub(r"{([^}]*)}", lambda match: columns[match[1]], template or name)
    return shown(" ".join(filled.split()))[:NAME_CHARS_MAX]


def _window(number: str, items: tuple[str, ...], map: Map) -> Window:
    return Window(
        id=number,
        name=map.windows.name,
        name_en=map.windows.name_en,
        department=map.windows.department,
        items=items,
    )


def _check_count(zh: str, en: str, count: int, most: int) -> None:
    if count > most:
        raise BadFile(
            f"文件里有 {count} 个{zh}，最多 {most} 个",
            f"The file has {count} {en}; {most} at most",
        )


def _ids(zh: str, en: str, names: Iterable[str]) -> dict[str, str]:
    """The id of each name: the name itself as far as an id can be written so."""
    ids: dict[str, str] = {}
    first: dict[str, str] = {}
    for name in names:
        id = re.sub(r"[^\w.-]", "-", unicodedata.normalize("NFC", name))
        if len(id) > ID_CHARS_MAX:
            digest = hashlib.sha256(name.encode()).hexdigest()[:HASH_CHARS]
            id = f"{id[: ID_CHARS_MAX - HASH_CHARS - 1]}-{digest}"
        if (other := first.setdefault(id, name)) != name:
            raise BadFile(
                f"{zh}“{shown(other)}”和“{shown(name)}”的编号都是 {id}，无法区分",
                f"The {en}s {shown(other)!r} and {shown(name)!r} "
                f"would both have the id {id!r}",
            )
        ids[name] = id
    return ids


def _letters(place: int) -> str:
    """A, B, … Z, AA, AB, …: the prefix of the item at this place."""
    letters = ""
    place += 1
    while place:
        place, letter = divmod(place - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters
