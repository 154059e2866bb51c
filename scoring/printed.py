"""The rulebook as a page to read, printed to docs/scoring.md."""

from scoring.rulebook import (
    Charge,
    ChargesItem,
    IndexItem,
    Item,
    PendingItem,
    RatioItem,
    Rulebook,
    UnmeasuredItem,
)

HEAD = """# The rulebook 考核细则

Printed by `main.py docs` from `scoring/rulebook.toml`; do not edit. {name}, version
{version}. {source}。

An item never goes below zero. An item that does not apply to a window, or that nothing
in the log can tell yet, is left out of both sums.
"""


def rulebook_page(book: Rulebook) -> str:
    """The page, in Markdown."""
    parts = [HEAD.format(name=book.name, version=book.version, source=book.source)]
    for dimension in book.dimensions:
        parts.append(
            f"\n## {dimension.code} {dimension.title} {dimension.title_en}: "
            f"{dimension.points}\n"
        )
        for item in book.items:
            if item.code.startswith(dimension.code):
                parts.append(_item(item))
    return "".join(parts)


def _item(item: Item) -> str:
    head = f"\n### {item.code} {item.title} ({item.points})\n\n{item.title_en}.\n\n"
    rules = "".join(f"- {rule}\n" for rule in _rules(item))
    return f"{head}{rules}\n依据：{item.source}。\n"


def _rules(item: Item) -> list[str]:
    match item:
        case UnmeasuredItem():
            return [f"未接入 not measured yet: {item.needs}"]
        case ChargesItem():
            return _charges(item.charges)
        case PendingItem():
            return [*_charges(item.charges), f"待核实 pending: {item.needs}"]
        case RatioItem():
            return [
                f"低于 {item.at_least_percent}%，每 1 个百分点（不足按 1 个计） "
                f"−{item.step_points}；不足 {item.n_min} 件不扣",
                *_charges(item.charges),
            ]
        case IndexItem():
            return [
                f"指数低于 {item.at_least}，每 1 分（不足按 1 分计） "
                f"−{item.step_points}；不足 {item.n_min} 条与部门合并"
            ]


def _charges(charges: tuple[Charge, ...]) -> list[str]:
    return [f"{charge.title}：每次 −{charge.points}" for charge in charges]
