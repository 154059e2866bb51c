"""千分制: from facts to visits, from visits to marks, from marks to a report.

Everything here is derived: the log is the only input, and the same log, rulebook and
instant give the same assessment, byte for byte.
"""
