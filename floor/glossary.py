"""The glossary of facts, printed from their docstrings to docs/glossary.md."""

import inspect

import msgspec

from floor.facts import FACTS, LEVEL_ZH

# ruff: noqa: E501 (rows of a Markdown table cannot be broken)

HEAD = """# Glossary of facts

Printed by `main.py docs` from `floor/facts.py`; do not edit. Each fact also carries `at`
(aware UTC), `position` (its ordinal in the hall's log) and `command` (the id of the
command that caused it).

| say | 中文 | meaning | not |
|---|---|---|---|
| arrival, taking | 取号 | a visitor joins a waiting line | created, registered |
| waiting line | 等候 | tickets not yet called | queue, list |
| call, recall | 叫号, 重呼 | a ticket is asked to a window | notify, trigger |
| service | 办理 | from start to finish at the window | process, transaction |
| no-show, abandonment | 过号, 弃号 | called and not there; gave up waiting | timeout, cancel |
| ticket, window, clerk, item | 票号, 窗口, 窗口人员, 事项 | | job, counter, user, type |
| call policy | 叫号策略 | which ticket is next | scheduler |
| mark, evidence | 得分, 依据 | points of an item, and the facts behind them | score, grade |
"""


def glossary() -> str:
    """The page, in Markdown."""
    parts = [HEAD]
    for fact in FACTS:
        parts.append(f"\n## {fact.__name__}\n\n{inspect.getdoc(fact)}\n")
        words = [
            field.name
            for field in msgspec.structs.fields(fact)
            if field.name not in ("at", "position", "command")
        ]
        if words:
            parts.append(f"\nCarries: {', '.join(f'`{word}`' for word in words)}.\n")
    levels = ", ".join(f"`{level}` {zh}" for level, zh in LEVEL_ZH.items())
    parts.append(f"\n## Levels of an evaluation\n\n{levels}.\n")
    return "".join(parts)
