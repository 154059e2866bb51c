"""Given a day, when a rule, then a fact or a refusal."""

import pytest

from floor import commands, refusals
from timeline import FloorDay


def test_first_come_is_called_first_over_all_items_of_the_window(floor: FloorDay):
    """
    09:00:00 takes minsheng
    09:00:05 takes zonghe
    09:00:10 opens 1
    09:01:00 calls 1
    """
    assert floor.day.places["1"].ticket == "P001"
    assert [t.id for t in floor.day.waiting(["zonghe", "minsheng"])] == ["A001"]


def test_a_busy_window_calls_nobody(floor: FloorDay):
    """
    09:00:00 takes zonghe
    09:00:01 takes zonghe
    09:00:10 opens 1
    09:01:00 calls 1
    """
    with pytest.raises(refusals.WindowBusy) as refused:
        floor.do(commands.CallNext(window="1"), floor.at("09:02:00"))
    assert refused.value.message["zh"] == "1号窗口还有A001号未办结"
