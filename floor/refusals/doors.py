"""Refusals at the doors: what was asked could not be read, or not be done now."""

from floor.refusals.refused import Refused


class CommandIdReused(Refused):
    """The id belongs to another command that was already carried out."""

    zh = "这个操作编号已用于另一项操作"
    en = "This command id was already used for a different command"
    field = "command_id"


class HallOverloaded(Refused):
    """Too many commands are waiting to be recorded."""

    zh = "系统繁忙，请稍后再试"
    en = "The hall is overloaded; try again in a moment"
    status = 503


class LogUnavailable(Refused):
    """The log could not be written; nothing was done."""

    zh = "暂时无法记录，操作没有生效，请通知管理员"
    en = "The log cannot be written; nothing was done. Tell the operator"
    status = 503


class LogUnsure(Refused):
    """The log failed at a commit and cannot be read; it may have been recorded.

    The same command with the same id has one effect in either case; another press has
    another id, so whoever presses looks first.
    """

    zh = "暂时无法确认是否已记录，请先核对再操作，并通知管理员"
    en = "It is not known whether this was recorded; look first, then press again"
    status = 503


class UnknownCommand(Refused):
    """No such command for a window."""

    zh = "没有“{command}”这个操作"
    en = "There is no command {command!r}"
    status = 404
    field = "command"


class BadInput(Refused):
    """The input does not have the shape that was asked for."""

    zh = "“{name}”填写有误：{why_zh}"
    en = "Field {name!r} is not right: {why}"
    status = 422

    def __init__(self, *, name: str, why: str, why_zh: str = "") -> None:
        super().__init__(name=name, why=why, why_zh=why_zh or why)
        self.field = name


class TooLarge(Refused):
    """The message is larger than any right one could be."""

    zh = "内容过大，最多{limit}字节"
    en = "The message is too large; {limit} bytes at most"
    status = 413


class NotAllowed(Refused):
    """The connection may not do this."""

    zh = "没有权限：{why_zh}"
    en = "Not allowed: {why}"
    status = 403


class NothingBooked(Refused):
    """The person has no appointment today."""

    zh = "没有查到您今天的预约，请核对证件，或现场取号"
    en = "You have no appointment today; check the document, or take a ticket"
    status = 404
    field = "identity"
