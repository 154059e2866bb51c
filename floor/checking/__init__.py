"""The check (核对): does a log keep the promises of a hall, whoever wrote it?

It reads facts alone and keeps its own account of tickets, windows and lines. It shares
no code with the day and the rules, so that a mistake in them is not made here again.
"""
