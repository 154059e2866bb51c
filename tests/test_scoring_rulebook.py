"""The rulebook: what it must hold, and the sentence for each thing that is wrong."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from scoring import rulebook
from scoring.rulebook import BadRulebook, UnmeasuredItem

SAMPLE = rulebook.SAMPLE.read_text("utf-8")
ROOM = rulebook.SAMPLE.parent

RUBRIC = {
    "A": {"A1": 40, "A2": 80, "A3": 40, "A4": 40},
    "B": {"B1": 60, "B2": 30, "B3": 30, "B4": 30},
    "C": {"C1": 80, "C2": 40, "C3": 40, "C4": 40},
    "D": {"D1": 50, "D2": 100, "D3": 50, "D4": 50},
    "E": {"E1": 30, "E2": 40, "E3": 20, "E4": 30},
    "F": {"F1": 30, "F2": 30, "F3": 20},
}


def test_the_sample_is_the_whole_rubric_of_1000_points() -> None:
    book = rulebook.load()
    items = {item.code: item.points for item in book.items}
    assert items == {c: p for group in RUBRIC.values() for c, p in group.items()}
    assert sum(items.values()) == 1000
    dimensions = {dimension.code: dimension.points for dimension in book.dimensions}
    assert dimensions == {"A": 200, "B": 150, "C": 200, "D": 250, "E": 120, "F": 80}
    assert all(item.source and item.title and item.title_en for item in book.items)
    measured = [i.code for i in book.items if not isinstance(i, UnmeasuredItem)]
    assert measured == ["A1", "B1", "B2", "B3", "B4", "C3", "D1", "D2", "D3"]


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    copy = tmp_path / "copy.toml"
    copy.write_text(SAMPLE, "utf-8")
    assert rulebook.load(copy).sha256 == rulebook.load().sha256
    copy.write_text(SAMPLE + "\n# changed\n", "utf-8")
    assert rulebook.load(copy).sha256 != rulebook.load().sha256


def change(old: str, new: str) -> Callable[[str], str]:
    assert old in SAMPLE
    return lambda text: text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("spoil", "zh", "en"),
    [
        (change("points = 40", "points = 41"), "维度 A 各项合计 201", "201 points"),
        (
            change("points = 200", "points = 199"),
            "合计 200 分，应为 199",
            "200 points, not 199",
        ),
        (change('code = "A2"', 'code = "A1"'), "考核项 A1 重复", "A1 stands twice"),
        (change('code = "B"', 'code = "A"'), "维度 A 重复", "dimension A stands twice"),
        (change('code = "F3"', 'code = "G3"'), "G3 不属于任何维度", "no dimension"),
        (change("over_s = 0", "over_s = 700"), "下限不低于上限", "exclude each other"),
        (change('levels = ["dissatisfied"]\n', ""), "RATING", "must name levels"),
        (change("count_under = 3", 'levels = ["satisfied"]'), "NO_SHOW", "NO_SHOW"),
        (change('kind = "charges"', 'kind = "guess"'), "“A1", "'A1"),
        (change("points = 3\n", "points = 2.5\n"), "“A1 charges", "'A1 charges"),
        (change("points = 3\n", "points = -3\n"), "“A1 charges", "'A1 charges"),
        (change('"LATE_OPEN"\nnothing', '"LATE"\nnothing'), "A1 basis", "A1 basis"),
        (change("basis", "bases"), "“A1", "'A1"),
        (change("at_least_percent = 95", "at_least_percent = 101"), "B1", "B1"),
        (change('levels = ["diss', 'levels = ["dis'), "“D2", "'D2"),
        (change("satisfied = 80, ", "satisfied = 180, "), "“D3 levels", "'D3 levels"),
        (change('version = "2026.1"', ""), "version", "version"),
        (change('name = "政', 'hello = 1\nname = "政'), "hello", "hello"),
        (change('name = "政', 'sha256 = "00"\nname = "政'), "sha256", "sha256"),
        (lambda text: text + "[[items", "TOML", "TOML"),
        (lambda text: "", "name", "name"),
        (lambda text: text + "#" * 1_000_001, "1000000", "1000000"),
        (lambda text: text + "\nx = " + "[" * 5000, "TOML", "TOML"),
        (lambda text: text + "\nx = " + "9" * 5000, "TOML", "TOML"),
        (
            change("nothing_en = ", "nothing_eng = "),
            "“A1 nothing_eng”",
            "A1 nothing_eng",
        ),
    ],
)
def test_whatever_is_wrong_is_said_in_both_languages(
    tmp_path: Path, spoil: Callable[[str], str], zh: str, en: str
) -> None:
    path = tmp_path / "spoilt.toml"
    path.write_text(spoil(SAMPLE), "utf-8")
    with pytest.raises(BadRulebook) as bad:
        rulebook.load(path)
    assert zh in bad.value.message["zh"]
    assert en in bad.value.message["en"]
    assert "\n" not in str(bad.value).split(" / ")[0]


def test_a_file_that_is_missing_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(BadRulebook, match="读不到考核细则"):
        rulebook.load(tmp_path / "none.toml")
    with pytest.raises(BadRulebook):
        rulebook.load(tmp_path)
    gbk = tmp_path / "gbk.toml"
    gbk.write_bytes('name = "千分制"'.encode("gbk"))
    with pytest.raises(BadRulebook, match="UTF-8"):
        rulebook.load(gbk)


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_no_float_and_no_true_division_in_the_room(path: Path) -> None:
    """A rank must not depend on the machine: integers, and `//`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.Div), f"{where}: true division"
        if isinstance(node, ast.BinOp | ast.AugAssign):
            assert not isinstance(node.op, ast.Div), f"{where}: true division"
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float | complex), f"{where}: a float"
        if isinstance(node, ast.Name):
            assert node.id not in ("float", "round"), f"{where}: {node.id}"
        if isinstance(node, ast.Attribute):
            assert node.attr != "total_seconds", f"{where}: seconds as a float"
