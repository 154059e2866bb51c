"""Why was I overtaken (为什么先叫别人): the answer to a visitor, in sentences.

Each is made from what its `TicketCalled` says of the choice, and the position of that
fact is its evidence. Nobody is named, only tickets and windows.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from floor import refusals
from floor.answers import OvertakingAnswer, WhyAnswer
from floor.catalogue import Catalogue
from floor.day import Day
from floor.facts import Kind
from floor.overtaken import Answer, Call, Calls, Coming, Overtaken

Lang = Literal["zh", "en"]


class Words(NamedTuple):
    """The same in both languages."""

    zh: str
    en: str

    def of(self, lang: Lang) -> str:
        return self.zh if lang == "zh" else self.en


KINDS: dict[Kind, Words] = {
    "normal": Words("普通号", "ordinary tickets"),
    "appointment": Words("预约号", "tickets with an appointment"),
    "priority": Words("优先号", "priority tickets"),
    "care": Words("照顾号", "care tickets"),
}


def why(day: Day, calls: Calls, ticket: str, lang: Lang) -> WhyAnswer:
    """Every call that overtook a ticket while it waited, each with its reason.

    Raises:
        UnknownTicket: it was not taken on this day.
    """
    if ticket not in day.tickets:
        raise refusals.UnknownTicket(ticket=ticket)
    answer = calls.answer(ticket)
    return WhyAnswer(
        ticket=ticket,
        summary=_summary(answer).of(lang),
        overtaken=[_told(overtaken, lang) for overtaken in answer.overtaken],
        earlier=answer.earlier,
        elsewhere=answer.elsewhere,
    )


def reason(overtaken: Overtaken) -> Words:
    """Why this call came first, as far as its fact says so."""
    call, mine = overtaken.call, overtaken.mine
    match call.because:
        case "kind":
            return _by_kind(call, mine)
        case "booked":
            return _booked(call.coming, call.catalogue)
        case "placed":
            return _placed(call.coming)
        case "sent":
            return Words(
                f"由{call.coming.put_by}号窗口转来，指定由{call.window}号窗口办理",
                f"sent from window {call.coming.put_by} to be served at window "
                f"{call.window}",
            )
        case "weight":
            return _weighted(call)
        case "first":
            return _first(call, mine)
        case "by_hand" | "":
            return _by_hand(call)


def _summary(answer: Answer) -> Words:
    if answer.overtaken:
        times = len(answer.overtaken)
        zh = f"您等候期间，有{times}次叫号没有按先来后到，原因如下"
        en = f"Calls before yours that were not in the order of coming: {times}"
    elif answer.earlier:
        zh = "在您之前叫的都是先到的"
        en = "All who were called before you came before you"
    else:
        zh = "您等候期间，能办您事项的窗口没有先叫过别人"
        en = "No window that could call you has called anybody before you"
    if answer.elsewhere:
        times = answer.elsewhere
        zh += f"；不办您事项的窗口另叫了{times}次后到的号，与您的次序无关"
        en += (
            "; calls of later tickets at windows that do not handle your item: "
            f"{times}, which changes nothing for you"
        )
    return Words(zh, en)


def _told(overtaken: Overtaken, lang: Lang) -> OvertakingAnswer:
    call = overtaken.call
    why = reason(overtaken)
    clock = _clock(call.at, call.catalogue)
    sentence = Words(
        f"{clock} {call.ticket} 先于您被叫到{call.window}号窗口：{why.zh}",
        f"{clock} {call.ticket} was called to window {call.window} before you: "
        f"{why.en}",
    )
    return OvertakingAnswer(
        ticket=call.ticket,
        window=call.window,
        at=call.at.isoformat(),
        position=call.position,
        because=call.because,
        reason=why.of(lang),
        sentence=sentence.of(lang),
    )


def _by_kind(call: Call, mine: Coming) -> Words:
    kind = call.coming.kind
    measure = _measure(call.catalogue, kind, mine.kind)
    if call.coming.slot_at is not None:
        who = _booked(call.coming, call.catalogue)
    else:
        who = _favoured(call)
    if measure is None:
        return who
    return Words(f"{who.zh}（{measure.zh}）", f"{who.en} ({measure.en})")


def _favoured(call: Call) -> Words:
    """On what ground it goes first; its kind alone where none is known."""
    for ground in call.catalogue.grounds:
        if ground.id == call.coming.ground:
            zh = ground.name.removesuffix("优先")
            return Words(f"{zh}优先", f"priority for: {ground.name_en}")
    kind = KINDS[call.coming.kind]
    return Words(f"{kind.zh}先叫", f"{kind.en} go first")


def _measure(catalogue: Catalogue, kind: Kind, mine: Kind) -> Words | None:
    """By how much its kind goes before, under the policy in force."""
    policy = catalogue.policy
    standing = getattr(policy, kind)
    name = KINDS[kind]
    if policy.name == "strict":
        other = KINDS[mine]
        return Words(f"{name.zh}先于{other.zh}", f"{name.en} go before {other.en}")
    parts = []
    if policy.name == "accumulating" and standing.rate > 1:
        parts.append(
            Words(
                f"等候时间按{standing.rate}倍计",
                f"count their waiting {standing.rate} times",
            )
        )
    if policy.name in ("accumulating", "fixed_credit") and standing.credit_s:
        lead = _length(standing.credit_s)
        parts.append(Words(f"提前{lead.zh}计", f"count as if {lead.en} earlier"))
    if not parts:
        return None
    return Words(
        name.zh + "，".join(part.zh for part in parts),
        f"{name.en} " + " and ".join(part.en for part in parts),
    )


def _booked(coming: Coming, catalogue: Catalogue) -> Words:
    if coming.slot_at is None:  # A log from elsewhere may know no slot.
        return Words("预约号", "it has an appointment")
    clock = _clock(coming.slot_at, catalogue)
    if coming.late and coming.due_at is not None:
        due = _clock(coming.due_at, catalogue)
        return Words(
            f"预约{clock}，迟到，按{due}到达计",
            f"late for its appointment at {clock}, it counts as come at {due}",
        )
    return Words(
        f"预约号，按预约时段{clock}计", f"it counts by its appointment at {clock}"
    )


def _placed(coming: Coming) -> Words:
    by = coming.put_by
    match coming.put:
        case "returned":
            return Words("过号恢复，排在前面", "back after a no-show, it was put ahead")
        case "deferred":
            return Words(
                "曾主动延后，按延后的位次", "it was put off and kept that place"
            )
        case "given_back":
            return Words(
                f"{by}号窗口关窗退回，排在前面",
                f"given back by window {by} when it closed, it was put ahead",
            )
        case "transferred":
            return Words(
                f"由{by}号窗口转来，排在前面",
                f"transferred from window {by}, it was put ahead",
            )
        case "":
            return Words("按安排的位次", "it kept the place it was given")


def _weighted(call: Call) -> Words:
    item = call.catalogue.item(call.item)
    zh, en = (item.name, item.name_en) if item else (call.item, call.item)
    return Words(
        f"{call.window}号窗口优先办理“{zh}”", f"window {call.window} takes {en} first"
    )


def _first(call: Call, mine: Coming) -> Words:
    """Why a ticket that came later stood first, as nobody passed anybody."""
    if mine.put == "deferred":
        return Words("您选择了延后", "you asked to be put off")
    if call.coming.put:
        return _placed(call.coming)
    if mine.slot_at is not None and not mine.late:
        clock = _clock(mine.slot_at, call.catalogue)
        return Words(
            f"您是预约号，按预约时段{clock}计",
            f"you count by your appointment at {clock}",
        )
    return Words("按等候次序轮到", "it was next in the waiting line")


def _by_hand(call: Call) -> Words:
    if not call.by_hand:
        return Words("记录中没有写明原因", "the record does not say why")
    if not call.reason:
        return Words("指定呼叫，未写明理由", "chosen by hand, without a reason given")
    return Words(f"指定呼叫：{call.reason}", f"chosen by hand: {call.reason}")


def _clock(at: datetime, catalogue: Catalogue) -> str:
    local = at.astimezone(catalogue.zone)
    return f"{local.hour}:{local.minute:02d}"


def _length(seconds: int) -> Words:
    if seconds % 60:
        return Words(f"{seconds}秒", f"{seconds} s")
    return Words(f"{seconds // 60}分钟", f"{seconds // 60} min")
