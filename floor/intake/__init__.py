"""The import (导入): recorded tickets of other systems become a log of ours.

`maps` says what a file's columns mean, `records` reads any CSV in bounded memory,
`rows` checks each record, `source_hall` makes the catalogue that the file shows, and
`tickets` puts it all through the real rules into a new log.
"""
