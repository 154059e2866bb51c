"""What may happen next: one pure function for each command.

`rule(day, at, **command)` gives the fact, or the facts that happen together, or it
raises a refusal and nothing happened. A rule reads no clock, touches no log and
changes no state.
"""
