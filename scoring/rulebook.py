"""The rulebook (考核细则): the items, what they are worth, what costs points.

A TOML file that the centre writes; `load` checks all of it before anything is scored.
Nothing in the code knows an item by its code: an item is a kind of rule with numbers.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec

from floor.facts import Level
from floor.refusals import Unusable
from floor.written import Written
from scoring.observations import LEVELS, Measure, Observation

SAMPLE = Path(__file__).with_name("rulebook.toml")
POINTS_SUM = 1000  # 千分制
ITEMS_MAX = 100
CHARGES_MAX = 20

Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][0-9]{0,2}\Z")]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
Sentence = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
Points = Annotated[int, msgspec.Meta(ge=1, le=POINTS_SUM)]
Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=24 * 3600)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class BadRulebook(Unusable):
    """The rulebook cannot be used; the sentence says where and why."""


FILE = Written("考核细则", "rulebook", BadRulebook)


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every table of the file has in common: unknown words are refused."""


class Condition(_Row, frozen=True, kw_only=True):
    """Which observations are meant; what is left out does not matter.

    over_s, at_least_s, under_s, up_to_s: bounds of the value, in seconds.
    count_under, count_at_least: bounds of the count.
    within_limit: the value is within what the service item allows.
    levels: the rating is one of these.
    """

    over_s: Seconds | None = None
    at_least_s: Seconds | None = None
    under_s: Seconds | None = None
    up_to_s: Seconds | None = None
    count_under: Count | None = None
    count_at_least: Count | None = None
    within_limit: bool | None = None
    levels: tuple[Level, ...] = ()

    def fits(self, seen: Observation) -> bool:
        value = seen.value
        return (
            (self.over_s is None or value > self.over_s * 1000)
            and (self.at_least_s is None or value >= self.at_least_s * 1000)
            and (self.under_s is None or value < self.under_s * 1000)
            and (self.up_to_s is None or value <= self.up_to_s * 1000)
            and (self.count_under is None or seen.count < self.count_under)
            and (self.count_at_least is None or seen.count >= self.count_at_least)
            and (self.within_limit in (None, value <= seen.limit))
            and (not self.levels or LEVELS[value] in self.levels)
        )


class Charge(Condition, frozen=True, kw_only=True):
    """A deduction for each observation that fits (每次扣分)."""

    measure: Measure
    points: Points
    title: Title
    title_en: Title


Charges = Annotated[tuple[Charge, ...], msgspec.Meta(max_length=CHARGES_MAX)]


class ScoredItem(_Row, frozen=True, kw_only=True, tag_field="kind"):
    """What every item of the rubric has (考核项).

    source: the clause that the item and its numbers come from.
    """

    code: Code
    title: Title
    title_en: Title
    points: Points
    source: Sentence


class ChargesItem(ScoredItem, frozen=True, kw_only=True, tag="charges"):
    """Points are taken off for each occurrence (按次扣分).

    basis: without an observation of this measure the item does not apply.
    nothing: the sentence for that case.
    """

    basis: Measure
    nothing: Sentence
    nothing_en: Sentence
    charges: Annotated[Charges, msgspec.Meta(min_length=1)]


class RatioItem(ScoredItem, frozen=True, kw_only=True, tag="ratio"):
    """Points are taken off for each percentage point a share is short (比率).

    measure: each of its observations is one in the denominator.
    reached: what counts for the numerator.
    at_least_percent, step_points: below it, each started point costs this much.
    n_min: with fewer observations the share costs nothing.
    charges: taken off besides, for each occurrence.
    """

    measure: Measure
    reached: Condition
    at_least_percent: Percent
    step_points: Points
    n_min: Count = 30
    counted_title: Title
    counted_title_en: Title
    missed_title: Title
    missed_title_en: Title
    nothing: Sentence
    nothing_en: Sentence
    charges: Charges = ()


class LevelPoints(_Row, frozen=True, kw_only=True):
    """What each level word counts in the index (满意度指数)."""

    very_satisfied: Annotated[int, msgspec.Meta(ge=0, le=100)]
    satisfied: Annotated[int, msgspec.Meta(ge=0, le=100)]
    basically_satisfied: Annotated[int, msgspec.Meta(ge=0, le=100)]
    dissatisfied: Annotated[int, msgspec.Meta(ge=0, le=100)]
    very_dissatisfied: Annotated[int, msgspec.Meta(ge=0, le=100)]

    def of(self, level: Level) -> int:
        points: int = getattr(self, level.value)
        return points


class IndexItem(ScoredItem, frozen=True, kw_only=True, tag="index"):
    """Points are taken off for each point that a mean of ratings is short (指数).

    n_min: with fewer ratings those of the whole department are taken; with fewer of
        these as well, the index costs nothing.
    """

    levels: LevelPoints
    at_least: Percent
    step_points: Points
    n_min: Count = 30
    nothing: Sentence
    nothing_en: Sentence


class PendingItem(ScoredItem, frozen=True, kw_only=True, tag="pending"):
    """Occurrences are shown, and cost points only when somebody verified them (待核实).

    charges: what each will cost once verified.
    needs: what is missing for that.
    """

    basis: Measure
    nothing: Sentence
    nothing_en: Sentence
    needs: Sentence
    needs_en: Sentence
    charges: Annotated[Charges, msgspec.Meta(min_length=1)]


class UnmeasuredItem(ScoredItem, frozen=True, kw_only=True, tag="unmeasured"):
    """Nothing in the log says anything about it yet (未接入).

    needs: which record is missing.
    """

    needs: Sentence
    needs_en: Sentence


Item = ChargesItem | RatioItem | IndexItem | PendingItem | UnmeasuredItem


class Dimension(_Row, frozen=True, kw_only=True):
    """A group of items, by the letter that their codes begin with (维度)."""

    code: Code
    title: Title
    title_en: Title
    points: Points


class Rulebook(_Row, frozen=True, kw_only=True):
    """All items, in the order of the rubric.

    source: where the numbers come from.
    sha256: digest of the file's bytes; two books with one digest are the same.
    """

    name: Title
    name_en: Title
    version: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    source: Sentence
    dimensions: Annotated[
        tuple[Dimension, ...], msgspec.Meta(min_length=1, max_length=26)
    ]
    items: Annotated[tuple[Item, ...], msgspec.Meta(min_length=1, max_length=ITEMS_MAX)]
    sha256: str


def load(path: Path = SAMPLE) -> Rulebook:
    """The rulebook in a TOML file.

    Raises:
        BadRulebook: it cannot be read, is not TOML, or does not make sense.
    """
    raw = FILE.read(path)
    table = FILE.table(raw)
    if "sha256" in table:
        raise BadRulebook(
            "考核细则不能自带“sha256”", "A rulebook does not carry its own sha256"
        )
    table["sha256"] = hashlib.sha256(raw).hexdigest()
    book = FILE.shaped(table, Rulebook)
    check(book)
    return book


def check(book: Rulebook) -> None:
    """What a schema cannot say.

    Raises:
        BadRulebook: the first thing that does not make sense.
    """
    _check_codes(book.dimensions, "维度", "dimension")
    _check_codes(book.items, "考核项", "item")
    letters = {dimension.code for dimension in book.dimensions}
    for item in book.items:
        if item.code[0] not in letters:
            raise BadRulebook(
                f"考核项 {item.code} 不属于任何维度",
                f"Item {item.code} belongs to no dimension",
            )
        for charge in getattr(item, "charges", ()):
            _check_condition(item.code, charge.measure, charge)
        if isinstance(item, RatioItem):
            _check_condition(item.code, item.measure, item.reached)
    for dimension in book.dimensions:
        items = [item for item in book.items if item.code[0] == dimension.code]
        points = sum(item.points for item in items)
        if points != dimension.points:
            raise BadRulebook(
                f"维度 {dimension.code} 各项合计 {points} 分，"
                f"应为 {dimension.points} 分",
                f"The items of dimension {dimension.code} add up to {points} points, "
                f"not {dimension.points}",
            )
    points = sum(item.points for item in book.items)
    if points != POINTS_SUM:
        raise BadRulebook(
            f"各项合计 {points} 分，应为 {POINTS_SUM} 分",
            f"The items add up to {points} points, not {POINTS_SUM}",
        )


def _check_codes(rows: Iterable[Dimension | Item], zh: str, en: str) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.code in seen:
            raise BadRulebook(
                f"{zh} {row.code} 重复", f"The {en} {row.code} stands twice"
            )
        seen.add(row.code)


def _check_condition(code: str, measure: Measure, wanted: Condition) -> None:
    """Bounds that nothing can meet, or that the measure does not have."""
    lows = [s for s in (wanted.over_s, wanted.at_least_s) if s is not None]
    highs = [s for s in (wanted.under_s, wanted.up_to_s) if s is not None]
    if lows and highs and max(lows) >= min(highs):
        raise BadRulebook(
            f"考核项 {code} 的 {measure} 下限不低于上限",
            f"Item {code}: the bounds of {measure} exclude each other",
        )
    rating = measure is Measure.RATING
    if bool(wanted.levels) != rating or (rating and (lows or highs)):
        raise BadRulebook(
            f"考核项 {code} 的 {measure}：评价要写 levels，其他不写；评价没有秒数",
            f"Item {code}: {measure} must name levels if and only if it is RATING, "
            "and a rating has no seconds",
        )
