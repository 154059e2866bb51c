"""What each command comes to: the only place where a command meets its rule."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from floor import commands, facts
from floor.commands import Command
from floor.day import Day
from floor.facts import Fact
from floor.rules import bookings, calls, hall, tickets, windows

Rule = Callable[..., Fact | tuple[Fact, ...]]


class Effect(msgspec.Struct, frozen=True):
    """What a command comes to: its rule, and the fact that answers it."""

    rule: Rule
    topic: type[Fact]


EFFECTS: dict[type[Command], Effect] = {
    commands.OpenWindow: Effect(windows.open_window, facts.WindowOpened),
    commands.PauseWindow: Effect(windows.pause_window, facts.WindowPaused),
    commands.ResumeWindow: Effect(windows.resume_window, facts.WindowResumed),
    commands.CloseWindow: Effect(windows.close_window, facts.WindowClosed),
    commands.MoveClerk: Effect(windows.move_clerk, facts.ClerkMoved),
    commands.CallNext: Effect(calls.call_next, facts.TicketCalled),
    commands.CallTicket: Effect(calls.call_ticket, facts.TicketCalled),
    commands.RecallTicket: Effect(calls.recall_ticket, facts.TicketRecalled),
    commands.UndoCall: Effect(calls.undo_call, facts.CallUndone),
    commands.DeclareNoShow: Effect(calls.declare_no_show, facts.NoShowDeclared),
    commands.StartService: Effect(calls.start_service, facts.ServiceStarted),
    commands.FinishService: Effect(calls.finish_service, facts.ServiceFinished),
    commands.HoldTicket: Effect(calls.hold_ticket, facts.TicketHeld),
    commands.ReturnTicket: Effect(calls.return_ticket, facts.TicketReturned),
    commands.TransferTicket: Effect(calls.transfer_ticket, facts.TicketTransferred),
    commands.InviteEvaluation: Effect(hall.invite_evaluation, facts.EvaluationInvited),
    commands.TakeTicket: Effect(tickets.take_ticket, facts.TicketTaken),
    commands.RequeueTicket: Effect(tickets.requeue_ticket, facts.TicketRequeued),
    commands.DeferTicket: Effect(tickets.defer_ticket, facts.TicketRequeued),
    commands.AbandonTicket: Effect(tickets.abandon_ticket, facts.TicketAbandoned),
    commands.BookAppointment: Effect(
        bookings.book_appointment, facts.AppointmentBooked
    ),
    commands.CancelAppointment: Effect(
        bookings.cancel_appointment, facts.AppointmentCancelled
    ),
    commands.CheckIn: Effect(bookings.check_in, facts.AppointmentCheckedIn),
    commands.Evaluate: Effect(hall.evaluate, facts.EvaluationGiven),
    commands.CloseHall: Effect(hall.close_hall, facts.HallClosed),
    commands.ReopenHall: Effect(hall.reopen_hall, facts.HallReopened),
    commands.DeclareOutage: Effect(hall.declare_outage, facts.OutageDeclared),
    commands.PublishCatalogue: Effect(hall.publish_catalogue, facts.CataloguePublished),
}


def decide(command: Command, day: Day, at: datetime) -> tuple[Fact, ...]:
    """The facts that a command causes on this day, which happen together.

    Raises:
        Refused: the rule says no.
    """
    decided = EFFECTS[type(command)].rule(day, at, **_words(command))
    return decided if isinstance(decided, tuple) else (decided,)


def answers(command: Command, fact: Fact) -> bool:
    """Whether this fact, of all that a command caused, is the answer to it."""
    return type(fact) is EFFECTS[type(command)].topic


def same(command: Command, fact: Fact) -> bool:
    """Whether a command already carried out as this fact is being repeated.

    Every word that both carry must be equal; an empty word of the command left the
    choice to the hall.
    """
    if not answers(command, fact):
        return False
    if isinstance(fact, facts.TicketCalled):
        by_hand = fact.policy == calls.BY_HAND
        if by_hand != isinstance(command, commands.CallTicket):
            return False
    words = _words(command)
    if words.get("ground"):
        del words["kind"]  # The ground decided it.
    return all(
        getattr(fact, name, word) == word
        for name, word in words.items()
        if word not in ("", None, ())
    )


def _words(command: Command) -> dict[str, Any]:
    words = msgspec.structs.asdict(command)
    del words["command_id"]
    return words
