"""Every word that a clerk reads, Chinese and English side by side.

Refusals are not here: the hall sends them as sentences in both languages.
"""

from typing import Literal, NamedTuple

from floor.day import WindowState
from floor.facts import Kind

Lang = Literal["zh", "en"]


class Label(NamedTuple):
    """One text in both languages."""

    zh: str
    en: str

    def text(self, lang: Lang) -> str:
        return self.zh if lang == "zh" else self.en

    def fill(self, **words: object) -> "Label":
        """The same text with its blanks filled in, with labels in its language."""

        def filled(lang: Lang) -> str:
            plain = {
                name: word.text(lang) if isinstance(word, Label) else word
                for name, word in words.items()
            }
            return self.text(lang).format(**plain)

        return Label(filled("zh"), filled("en"))


# ── Keys ────────────────────────────────────────────────────────────────────

OPEN = Label("开窗", "Open")
CALL = Label("叫号", "Call")
RECALL = Label("重呼", "Recall")
START = Label("开始", "Start")
FINISH = Label("办结", "Finish")
NO_SHOW = Label("过号", "No-show")
PAUSE = Label("暂停", "Pause")
RESUME = Label("恢复", "Resume")
INVITE = Label("邀评", "Invite")
CLOSE = Label("关窗", "Close")
LANGUAGE = Label("English", "中文")
HELP = Label("帮助", "Help")
QUIT = Label("退出", "Quit")

OPEN_HELP = Label("登录并开窗，开始一天的工作", "Sign in and open the window")
CALL_HELP = Label("呼叫下一位", "Call the next visitor")
RECALL_HELP = Label("再呼叫一次当前号码", "Call the same ticket again")
START_HELP = Label("群众已到窗口，开始办理", "The visitor is here; service begins")
FINISH_HELP = Label("当前号码办理完毕", "Service of the ticket is over")
NO_SHOW_HELP = Label(
    "呼叫后无人应答，作过号处理（需确认）", "Nobody came when called (asks to confirm)"
)
PAUSE_HELP = Label(
    "暂停叫号，再按一次恢复", "Stop calling for a while; again to resume"
)
INVITE_HELP = Label("请刚办结的群众评价", "Ask the visitor served last to rate")
CLOSE_HELP = Label("退出登录并关窗（需确认）", "Sign out and close (asks to confirm)")
LANGUAGE_HELP = Label("切换到英文界面", "Switch to Chinese")
HELP_HELP = Label("显示本页", "Show this page")
QUIT_HELP = Label("退出本程序，窗口状态不变", "Leave this program; the window stays")

# ── The bars ────────────────────────────────────────────────────────────────

WINDOW = Label("{window}号窗口", "Window {window}")
CLERK = Label("工号 {clerk}", "Clerk {clerk}")
NOBODY = Label("未登录", "Nobody signed in")

LINK_CONNECTING = Label("正在连接", "Connecting")
LINK_ONLINE = Label("已连接", "Online")
LINK_OFFLINE = Label("已断开", "Offline")
LINK_NOT_ALLOWED = Label("未授权", "Not allowed")
LINK_UNKNOWN = Label("无此窗口", "No such window")
LINK_UNREADABLE = Label("版本不符", "Version differs")

BAR_CONNECTING = Label(
    "正在连接服务器… 按键无效", "Connecting to the hall… keys are off"
)
BAR_OFFLINE = Label(
    "与服务器断开，正在重连… 按键无效",
    "The hall cannot be reached; trying again… keys are off",
)
BAR_NOT_ALLOWED = Label(
    "设备未授权，请联系管理员 按键无效",
    "This device is not authorised; ask the operator. Keys are off",
)
BAR_UNKNOWN = Label(
    "大厅没有{window}号窗口，请检查启动参数 按键无效",
    "The hall has no window {window}; check how this was started. Keys are off",
)
BAR_UNREADABLE = Label(
    "与服务器版本不符，请更新本程序 按键无效",
    "The hall speaks another version; update this program. Keys are off",
)

# ── The ticket in hand ──────────────────────────────────────────────────────

STATE_CLOSED = Label("未开窗", "Closed")
STATE_FREE = Label("空闲", "Free")
STATE_CALLED = Label("已呼叫，等候群众到窗口", "Called, not here yet")
STATE_SERVING = Label("正在办理", "Serving")
STATE_PAUSED = Label("暂停服务", "On pause")
HALL_CLOSED = Label("今天已闭厅", "The hall is closed for today")

HINT_CLOSED = Label("按 O 登录开窗", "Press O to sign in")
HINT_FREE = Label("按 C 呼叫下一位", "Press C to call the next visitor")
HINT_NOBODY = Label("暂时没有人等候", "Nobody is waiting at the moment")
HINT_PAUSED = Label("按 P 恢复叫号", "Press P to call again")

TIMES = Label("第 {times} 次呼叫", "Call no. {times}")
SINCE_CALL = Label("已呼叫 {time}", "Called {time} ago")
SINCE_START = Label("已办理 {time} / 标准 {standard}", "Served {time} of {standard}")
OVERTIME = Label("超出标准时长", "over the standard time")
LAST = Label("上一号 {ticket}：{rating}", "Before: {ticket}, {rating}")
NOT_INVITED = Label("未邀评", "not invited to rate")
INVITED = Label("已邀评，尚未评价", "invited, not rated yet")
RATED = Label("已评价", "rated")

KIND_NORMAL = Label("", "")
KIND_APPOINTMENT = Label("预约", "Appt")
KIND_PRIORITY = Label("优先", "Prio")
KIND_CARE = Label("爱心", "Care")

# ── The waiting line ────────────────────────────────────────────────────────

WAITING = Label("等候 {waiting} 人", "{waiting} waiting")
MORE_ITEMS = Label(
    "另有 {items} 个事项 {waiting} 人", "{waiting} in {items} more items"
)
MORE_TICKETS = Label("后面还有 {waiting} 人", "{waiting} more behind them")
MINUTES = Label("{minutes} 分", "{minutes} min")
JUST_NOW = Label("刚到", "now")

# ── Answers ─────────────────────────────────────────────────────────────────

DID_OPEN = Label("已开窗，可以叫号", "Open; you can call now")
DID_PAUSE = Label("已暂停叫号", "On pause")
DID_RESUME = Label("已恢复叫号", "You can call again")
DID_CLOSE = Label("已关窗，辛苦了", "Closed; thank you")
DID_CALL = Label("已呼叫 {ticket}", "Called {ticket}")
DID_RECALL = Label("已再次呼叫 {ticket}", "Called {ticket} again")
DID_NO_SHOW = Label("{ticket} 已过号", "{ticket} did not come")
DID_START = Label("{ticket} 开始办理", "Serving {ticket}")
DID_FINISH = Label("{ticket} 已办结", "{ticket} is done")
DID_INVITE = Label("已邀请 {ticket} 评价", "Invited {ticket} to rate")
DID_MOVE = Label("已换窗", "Moved to the other window")
DID_UNDO = Label("已撤销呼叫 {ticket}", "The call of {ticket} is taken back")
DID_HOLD = Label("{ticket} 已挂起", "{ticket} is on hold")
DID_RETURN = Label("{ticket} 继续办理", "Serving {ticket} again")
DID_TRANSFER = Label("{ticket} 已转移", "{ticket} is transferred")
DID_ANYTHING = Label("已完成", "Done")

CONFIRM_NO_SHOW = Label(
    "{ticket} 确定过号？按回车或再按一次 N 确认",
    "{ticket} did not come? Enter, or N again, to confirm",
)
CONFIRM_CLOSE = Label(
    "确定关窗？按回车或再按一次 X 确认",
    "Close the window? Enter, or X again, to confirm",
)
THIS = Label("当前号码", "The visitor")
DOUBLE = Label("按键过快，重复的一次已忽略", "Too fast: the second press was ignored")
BUSY = Label("上一步还没有应答，请稍候", "The step before is not answered yet; wait")
UNANSWERED = Label(
    "服务器没有应答，请先核对窗口状态再按",
    "The hall did not answer; look at the window's state before pressing again",
)
NOT_SENT = Label(
    "“{step}”没有发送，恢复连接后请重新按键",
    "{step} was not sent; press it again once connected",
)
BACK = Label("已恢复连接", "Connected again")
HOW_TO_QUIT = Label("按 Ctrl+Q 退出", "Press Ctrl+Q to quit")

# ── Dialogs ─────────────────────────────────────────────────────────────────

HELP_TITLE = Label("按键说明", "Keys")
HELP_FOOT = Label(
    "字母、数字、功能键均可；按 Esc 返回",
    "Letters, digits and F-keys do the same; Esc to go back",
)
SIGN_IN_TITLE = Label("{window}号窗口开窗", "Open window {window}")
SIGN_IN_ASK = Label(
    "请输入工号，按回车确认，按 Esc 取消", "Your clerk id; Enter, or Esc to cancel"
)
SIGN_IN_BAD = Label(
    "工号只能用字母、数字、汉字和 . _ -，最多 40 位",
    "Letters, digits and . _ - only, 40 at most",
)

# ── Which label for which word of the hall ──────────────────────────────────

STATE: dict[WindowState, Label] = {
    "closed": STATE_CLOSED,
    "free": STATE_FREE,
    "called": STATE_CALLED,
    "serving": STATE_SERVING,
    "paused": STATE_PAUSED,
}
KIND: dict[Kind, Label] = {
    "normal": KIND_NORMAL,
    "appointment": KIND_APPOINTMENT,
    "priority": KIND_PRIORITY,
    "care": KIND_CARE,
}
#: By the topic of the fact that answered a press.
DID: dict[str, Label] = {
    "WindowOpened": DID_OPEN,
    "WindowPaused": DID_PAUSE,
    "WindowResumed": DID_RESUME,
    "WindowClosed": DID_CLOSE,
    "TicketCalled": DID_CALL,
    "TicketRecalled": DID_RECALL,
    "NoShowDeclared": DID_NO_SHOW,
    "ServiceStarted": DID_START,
    "ServiceFinished": DID_FINISH,
    "EvaluationInvited": DID_INVITE,
    "ClerkMoved": DID_MOVE,
    "CallUndone": DID_UNDO,
    "TicketHeld": DID_HOLD,
    "TicketReturned": DID_RETURN,
    "TicketTransferred": DID_TRANSFER,
}
