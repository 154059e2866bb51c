"""What visitors see, hear and touch: screens, LED strips, voice, kiosk, rating.

`frames` turns facts into what is to be shown, `server` sends frames and pages over the
one port, and everything else is a follower of those frames: the browser page in
`static/`, `led`, `voice`. All sentences are in `wording`.
"""
