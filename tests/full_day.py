"""A Monday and a Tuesday of the hall that uses every word, with every fact there is."""

from datetime import timedelta

import msgspec

from floor import commands, facts
from floor.catalogue import load
from timeline import FULL, FloorDay

MORNING = """
08:00:00 books guohu 09:00 person=1 -> 20261123-001
08:00:00 books guohu 09:30 person=2 -> 20261123-002
08:00:10 books hunyin 10:00 person=3 channel=qr -> 20261123-003
08:00:20 books hunyin 10:30 person=4
08:00:30 books hunyin 11:00 person=5
08:00:40 books hunyin +1/09:00 person=6 -> 20261124-001
08:01:00 cancels 20261123-004
08:25:00 opens 1 li -> 1
08:25:05 opens 2 wang substitutes=zhao
08:25:10 opens 3 qian
08:25:15 opens 4 sun
08:25:20 opens 5 zhou
08:26:00 takes zixun ! OutsideHours
08:26:10 takes zixun channel=staff -> X001
08:30:00 resumes 1
08:30:00 resumes 2
08:30:00 resumes 3
08:30:00 resumes 4
08:30:00 resumes 5
08:30:10 takes guohu person=7 -> G001
08:30:20 takes guohu person=8 then=qishui
08:30:30 takes guohu ground=elder -> G003
08:30:40 takes guohu ground=soldier channel=phone
08:31:00 takes zixun
08:31:10 takes zixun
08:31:20 takes zixun
08:31:30 takes zixun
08:31:40 takes fangwuzulin ! ItemPaused
08:32:00 calls 1 -> G003 kind 2
08:32:10 calls 2 -> G004 kind 2
08:32:12 recalls 2 ! RecalledTooSoon
08:32:15 undoes 2 -> G004
08:32:20 calls 2 -> G004 kind 2
08:32:30 starts 1
08:32:40 starts 2
08:33:00 calls 3 -> X001 first 0
08:33:05 recalls 3
08:33:10 recalls 3
08:33:59 no-show 3 ! NoShowTooSoon
08:34:00 no-show 3 -> X001
08:34:10 calls 5 -> X002 first 0
08:34:30 starts 5
08:35:00 finishes 5 outcome=not_done
08:35:05 invites 5
08:35:10 requeues X001
08:36:00 checks-in 20261123-001 -> GY001
08:40:00 holds 1 复印材料
08:40:10 calls 1 -> G001 first 0
08:40:30 starts 1
08:45:00 calls 1 -> G002 first 0
08:46:00 takes qishui
08:46:30 defers S001
08:47:00 calls 3 -> X003 first 0
08:47:30 starts 3
08:48:00 calls 3 -> G001 first 0
08:48:30 starts 3
08:50:00 calls 3 -> S001 first 0
08:51:00 starts 3
08:52:00 finishes 3
08:52:30 invites 3 S001
08:53:00 rates S001 very_satisfied channel=tablet
08:55:00 calls 2 -> G001 weight 1
08:56:00 starts 2
08:56:10 starts 1
08:57:00 transfers 1 to_clerk=zhou -> G002
08:58:00 returns 1 -> G003
08:59:00 closes 1 ! WindowBusy
09:00:00 finishes 1
09:00:10 pauses 1 系统维护
09:01:00 moves 1 4 ! WindowAlreadyOpen
09:02:00 closes 4
09:02:10 moves 1 4
09:02:20 resumes 4
09:03:00 opens 1 sun
09:03:10 resumes 1
09:04:00 calls 5 X005 老人 -> X005 by_hand 1
09:05:00 starts 5
09:06:00 transfers 5 guohu front=true -> X005
09:07:00 calls 1 -> X005 placed
09:08:00 starts 1
09:09:00 transfers 1 zixun to_window=5
09:10:00 calls 5 G002
09:11:00 starts 5
09:12:00 holds 5
09:14:00 calls 5
09:16:00 abandons X001
09:50:00 checks-in 20261123-003 -> HP001
10:12:00 checks-in 20261123-002 -> G005
10:12:00 breaks 09:30 09:40 网络中断
"""

AFTERNOON = """
11:00:00 calls 4 -> HP001 booked 0
11:01:00 starts 4
11:20:00 finishes 4
11:21:00 rates HP001 dissatisfied
11:30:00 takes fangwuzulin -> F001
12:05:00 takes zixun ! OutsideHours
14:00:00 calls 1
14:00:30 starts 1
14:30:00 closes 5 give_back=true
15:00:00 closes-hall
15:01:00 reopens-hall 误操作
15:02:00 opens 2 wang
15:02:10 resumes 2
15:03:00 takes lingzheng ground=pregnant
15:04:00 calls 2
15:05:00 starts 2
15:10:00 finishes 2
16:00:00 closes-hall emergency
"""

TUESDAY = """
+1 08:30:00 opens 4 sun
+1 08:31:00 resumes 4
+1 08:50:00 checks-in 20261124-001 -> HP001
+1 08:51:00 takes hunyin
+1 09:00:00 calls 4 -> HP001 booked 0
+1 09:01:00 starts 4
+1 09:02:00 takes guohu
"""


def full_days() -> FloorDay:
    """The days, with the facts that no rule writes put in between."""
    floor = FloorDay(load(FULL)).play(MORNING)
    monday = floor.day.date
    at = floor.at("10:30")
    for fact in (
        facts.EvaluationLapsed(at=at, ticket="X002", window="5"),
        facts.DeviceLost(at=at, device="led-1"),
        facts.DeviceRestored(at=at, device="led-1"),
        facts.ClockStepped(at=at, back_ms=61_000),
        facts.DaySealed(at=at, size=floor.day.version, root="5e" * 32),
    ):
        floor.happen(fact, monday)
    opened = [
        msgspec.structs.replace(item, paused=False) for item in floor.catalogue.items
    ]
    more = msgspec.structs.replace(floor.catalogue, items=tuple(opened))
    floor.do(commands.PublishCatalogue(catalogue=more), floor.at("10:40"))
    floor.play(AFTERNOON)
    floor.play(TUESDAY)
    tuesday = monday + timedelta(days=1)
    closed = facts.HallClosed(at=floor.at("+2/08:00"), reason="day_change")
    floor.happen(closed, tuesday)
    return floor
