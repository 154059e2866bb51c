"""Following facts over the port: `/ws/facts`."""

import re

import msgspec
from starlette.websockets import WebSocket

from floor import refusals
from floor.door import Floor, Right, refusal_words, until_gone
from floor.facts import Entry
from floor.follow import Stalled

WS_STALLED = 4008  # Come back with ?since= your last position.
WS_BAD_REQUEST = 4000


async def follow_facts(floor: Floor, socket: WebSocket) -> None:
    """Every fact after `?since=`, then new ones; one JSON object each."""
    try:
        floor.gate.admit(socket, Right.READ)
    except refusals.NotAllowed:
        await socket.close(1008)
        return
    since = socket.query_params.get("since", "0")
    await socket.accept()
    if not re.fullmatch(r"[0-9]{1,15}", since) or int(since) > floor.feed.position:
        last = floor.feed.position
        refusal = refusals.BadInput(
            name="since",
            why=f"not an integer from 0 to {last}",
            why_zh=f"应为 0 到 {last} 的整数",
        )
        await socket.send_text(msgspec.json.encode(refusal_words(refusal)).decode())
        await socket.close(WS_BAD_REQUEST)
        return
    await until_gone(socket, _send_facts(floor, socket, int(since)))


async def _send_facts(floor: Floor, socket: WebSocket, since: int) -> None:
    follower = floor.feed.follow(since)
    try:
        async for entry in follower:
            await socket.send_text(entry_json(entry))
    except Stalled:
        await socket.close(WS_STALLED, "stalled; come back with since")
    finally:
        follower.close()


def entry_json(entry: Entry) -> str:
    """A fact for a follower: its place in the log, its topic, and its own words."""
    words = msgspec.to_builtins(entry.fact)
    head = {"stream": entry.stream, "version": entry.version, "fact": entry.topic}
    return msgspec.json.encode(head | words).decode()
