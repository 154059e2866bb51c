"""The clerk's side: what clerk and hall say to each other, and the terminal.

`messages` is the protocol, `server` its hall end, `client` its window end, `app` the
Textual terminal on top of the client.
"""
