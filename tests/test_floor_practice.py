"""The words of the catalogue: a sample that uses all, a page that explains them."""

import re
import tomllib
import typing
from collections.abc import Iterator

import msgspec

from floor.catalogue import Catalogue, load
from timeline import FULL, SAMPLE


def test_the_full_sample_uses_every_word() -> None:
    catalogue = load(FULL)
    assert catalogue.hall == "hall-2"
    told = dict(said("", tomllib.loads(FULL.read_text(encoding="utf-8"))))
    assert set(told) == set(catalogue_words())


def said(path: str, table: object) -> Iterator[tuple[str, object]]:
    """Each word that a catalogue file says, as in docs/operating.md."""
    if isinstance(table, dict) and path not in ("windows.weights", "windows.helps"):
        for name, value in table.items():
            name = "*" if path == "policy" and isinstance(value, dict) else name
            yield from said(f"{path}.{name}".lstrip("."), value)
    elif isinstance(table, list) and table and isinstance(table[0], dict):
        for row in table:
            yield from said(path, row)
    else:
        yield path, table


def catalogue_words() -> dict[str, str]:
    """Every word of the catalogue with its default, as in docs/operating.md."""
    return dict(words_of(Catalogue, ""))


def words_of(shape: type[msgspec.Struct], path: str) -> Iterator[tuple[str, str]]:
    hints = typing.get_type_hints(shape)
    for field in msgspec.structs.fields(shape):
        parts = [hints[field.name], *typing.get_args(hints[field.name])]
        inner = [p for p in parts if isinstance(p, type)]
        inner = [p for p in inner if issubclass(p, msgspec.Struct)]
        if not inner:
            default = field.default
            if default is msgspec.NODEFAULT:
                default = field.default_factory
            if isinstance(default, type):
                default = default()
            needed = default is msgspec.NODEFAULT
            text = "needed" if needed else f"`{msgspec.json.encode(default).decode()}`"
            yield f"{path}{field.name}", text
        elif inner[0].__name__ == "Standing":
            yield from words_of(inner[0], f"{path}*.")
        else:
            yield from words_of(inner[0], f"{path}{field.name}.")


def test_the_operators_page_has_every_word_with_its_default() -> None:
    page = (SAMPLE.parent.parent / "docs" / "operating.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.*]+)` \| (.+?) \| (.+) \|$", page, re.MULTILINE)
    words = catalogue_words()
    assert {word: default for word, default, _ in rows} == words
    assert len(rows) == len(words) > 60
    assert all(meaning for _, _, meaning in rows)
