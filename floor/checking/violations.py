"""What can be wrong with a log, and how it is said.

The invariants I1 to I16 are those of facts/queueing.md 5; the L ones hold for the log
itself. I14 and I15's estimate are properties of a simulator and of an estimate, not of
a log; I16 is the assessment's own. docs/operating.md says where those are tested.
"""

import tomllib
from importlib.resources import files

import msgspec

#: What each invariant promises, in Chinese and in English.
INVARIANTS: dict[str, tuple[str, str]] = {
    "I1": ("顺序与终态", "order of a ticket's states, each leg ended once"),
    "I2": ("人数守恒", "conservation of tickets"),
    "I3": ("利特尔定律", "Little's law, exact"),
    "I4": ("窗口时间守恒", "a window's time adds up"),
    "I5": ("一窗一票", "one ticket at a window, one window a ticket"),
    "I6": ("先来先办与叫号策略", "call order by the policy in force"),
    "I8": ("超越与被超越相等", "slips equal skips"),
    "I9": ("受理资格", "eligibility"),
    "I10": ("连号", "numbers without gap"),
    "I12": ("林德利递推", "Lindley's recursion"),
    "I13": ("重放一致", "replays agree"),
    "I15": ("因果", "nothing before its cause"),
    "L1": ("记录编号连续", "positions without gap"),
    "L2": ("流内版本连续", "versions without gap"),
    "L3": ("时间不倒流", "time never goes back"),
    "L4": ("指令编号不重复", "each command once"),
    "L5": ("闭厅后不再办理", "nothing is done in a closed hall"),
    "L6": ("预约", "appointments"),
    "L7": ("封存条数", "size of a seal"),
    "L8": ("叫号次数与期限", "the catalogue's bounds on calls"),
    "L9": ("所在的流", "each fact in its stream"),
}

#: The invariant broken, and the sentence in Chinese and English.
WRONG: dict[str, tuple[str, str, str]] = {
    what: (invariant, zh, en)
    for what, (invariant, zh, en) in tomllib.loads(
        files("floor.checking").joinpath("sentences.toml").read_text("utf-8")
    ).items()
}


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A promise that a log breaks.

    what: which sentence of `WRONG` it is.
    stream: of the fact at fault.
    positions: the facts that show it, the one at fault first.
    """

    invariant: str
    what: str
    stream: str
    positions: tuple[int, ...]
    zh: str
    en: str


def violation(
    what: str, stream: str, positions: tuple[int, ...], **words: object
) -> Violation:
    """What is wrong, said in both languages."""
    invariant, zh, en = WRONG[what]
    return Violation(
        invariant=invariant,
        what=what,
        stream=stream,
        positions=positions,
        zh=zh.format(stream=stream, **words),
        en=en.format(stream=stream, **words),
    )
