"""The floor: what happened in the hall, and what may happen next.

Read from the bottom up: `catalogue` (items, windows, hours), `facts` (the vocabulary
of the log), `refusals` (how the hall says no), `day` (the state), `policies` (who is
next), `rules` (what may happen), `commands` (what can be asked), `log` (events.db),
`hall` (the only writer), `follow` (everyone who reads along), `door` (the one port).
`intake` turns recorded tickets of other systems into a log through the same rules, and
`recording` plays a recorded day again.
"""
