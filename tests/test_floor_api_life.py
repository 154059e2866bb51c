"""The JSON door over a whole life: identities, appointments, returns, the hall."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from click.testing import CliRunner

import main as front
from asking import KEY, NINE, STREAM, Client, open_door, refused, unchanged
from conftest import ServeHall
from floor import commands, facts, refusals
from floor.catalogue import Catalogue, load
from floor.identity import IDENTITY_SENT, cleaned
from floor.log import Log, read
from floor.practice import Booking, Calling, Ground, Taking
from floor.slots import slots
from floor.tokens import person_of, token_of
from timeline import SAMPLE, FloorDay

ID = "11010119900307123X"
ELDERLY = Ground(id="laoren", name="老人", name_en="the elderly", kind="care")
CATALOGUE = msgspec.structs.replace(
    load(SAMPLE),
    booking=Booking(quota=2, cancel_before_s=3600),
    calling=Calling(return_place=0, returns_max=1, defers_max=1),
    grounds=(ELDERLY,),
)
SLOTS = "slots?item=zonghe"
TEN = "2026-11-23T10:00:00+08:00"
ELEVEN, TWO = TEN.replace("T10", "T11"), TEN.replace("T10", "T14")


class Clock:
    """A clock that a test moves."""

    def __init__(self, at: datetime = NINE) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


# ── Identities ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("read_as", "clean"),
    [
        ("11010119900307123X", ID),
        (" 110101 19900307 123x\n", ID),
        ("11010119900307123\uff58", ID),
        ("\uff11\uff11\uff10\uff11\uff10\uff1119900307-123X", ID),
        ("13800138000", "13800138000"),
        ("+86 138-0013-8000", "13800138000"),
        ("008613800138000", "13800138000"),
        ("0086 (138) 0013.8000", "13800138000"),
        ("H12345678(9)", "H123456789"),
        ("86123456", "86123456"),
    ],
)
def test_one_person_is_one_however_the_number_is_written(
    read_as: str, clean: str
) -> None:
    assert cleaned(read_as) == clean
    assert cleaned(clean) == clean
    if read_as.isascii():
        assert re.search(IDENTITY_SENT, read_as)


@pytest.mark.parametrize(
    "wrong",
    ["", "12345", "x" * 61, " " * 60, "张三张三张三", "1\x001111111", "㊀㊁㊂㊃㊄㊅㊆",
     "﷽" * 50, "1" * 31, None, 7, True, [], {}, b"110101"],
)  # fmt: skip
def test_what_cannot_be_an_identity_is_refused_and_not_repeated(wrong: object) -> None:
    with pytest.raises(refusals.BadInput) as refusal:
        cleaned(wrong)
    assert refusal.value.field == "identity"
    if isinstance(wrong, str) and wrong.strip():
        assert wrong not in str(refusal.value.message)


def test_a_person_is_a_keyed_hash() -> None:
    person = person_of(KEY, ID)
    assert re.fullmatch(r"[0-9a-f]{32}", person)
    assert person_of(KEY, ID) == person
    assert person_of(b"x" * 32, ID) != person
    assert person_of(KEY, "110101199003071231") != person
    # No link is ever part of a person, whatever a hall or a ticket is called.
    assert token_of(KEY, "person", ID) != person[:24]


def everything_in(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir()]


async def test_an_identity_goes_in_and_never_comes_out(
    serve_hall: ServeHall, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("DEBUG")
    async with open_door(serve_hall, CATALOGUE) as (served, client):
        answers = [
            await client.post("tickets", item="zonghe", identity=f" {ID.lower()} "),
            await client.post("tickets", item="zonghe", identity=ID),
            await client.post("bookings", item="shebao", slot_at=TEN, identity=ID),
            await client.post("check-in", identity=ID, item="shebao"),
            await client.post("check-in", identity=ID, item="huji"),
            await client.post("tickets", item="zonghe", identity=f"{ID}?"),
            await client.post("check-in", identity=ID, channel=ID),
            await client.http.get(f"/api/{SLOTS}"),
            await client.http.get("/api/hall"),
            await client.http.get("/api/tickets/A001/why"),
        ]
        assert [a.status_code for a in answers[:4]] == [201, 409, 201, 201]
        refused(answers[1], 409, "TicketInHand")
        person = person_of(KEY, ID)
        for answer in answers[:6] + answers[7:]:
            assert ID not in answer.text.upper()
            assert person not in answer.text
        entries = list(read(served.path))
        persons = [getattr(entry.fact, "person", "") for entry in entries]
        assert persons.count(person) == 3
    assert ID.encode() not in b"".join(everything_in(tmp_path)).upper()
    assert ID not in caplog.text.upper()


async def test_a_client_cannot_say_who_a_person_is(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall, CATALOGUE) as (served, client):
        other = person_of(KEY, "13800138000")
        await client.ok("tickets", item="zonghe", person=other)
        await client.ok("tickets", item="zonghe", person=other, identity=ID)
        await client.ok("bookings", item="zonghe", slot_at=TEN, person=other)
        refused(
            await client.post("check-in", person=other), 422, "BadInput", "identity"
        )
        taken = [entry.fact for entry in read(served.path)][1:]
        assert [getattr(fact, "person", None) for fact in taken] == [
            "", person_of(KEY, ID), ""
        ]  # fmt: skip


async def test_a_hall_that_wants_to_know_says_so(serve_hall: ServeHall) -> None:
    strict = msgspec.structs.replace(CATALOGUE, taking=Taking(person_required=True))
    async with open_door(serve_hall, strict) as (_, client):
        async with unchanged(client):
            for path, words in (
                ("tickets", {"item": "zonghe"}),
                ("bookings", {"item": "zonghe", "slot_at": TEN}),
            ):
                response = await client.post(path, **words)
                refused(response, 422, "IdentityNeeded", "identity")
        await client.ok("tickets", item="zonghe", identity=ID)


async def test_a_ground_gives_the_kind_and_a_visit_may_go_on(
    serve_hall: ServeHall,
) -> None:
    async with open_door(serve_hall, CATALOGUE) as (served, client):
        await client.ok("tickets", item="zonghe", ground="laoren", then=["shebao"])
        taken = served.floor.feed.day.tickets["A001"]
        assert (taken.kind, taken.then) == ("care", ("shebao",))
        async with unchanged(client):
            response = await client.post("tickets", item="zonghe", ground="x")
            refused(response, 422, "UnknownGround", "ground")
            response = await client.post("tickets", item="zonghe", then=["nix"])
            refused(response, 422, "UnknownItem", "item")
            for then in (["a b"], [7], [None]):
                response = await client.post("tickets", item="zonghe", then=then)
                assert response.status_code == 422
        for word in ("open", "call", "start", "finish"):
            done = await client.ok(f"windows/1/{word}", clerk="c1")
        assert (await client.get("tickets/A001"))["item"] == "shebao"
        assert done["fact"] == "ServiceFinished"


# ── Coming back, letting others go first ────────────────────────────────────


async def test_a_visitor_comes_back_after_a_no_show(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall, CATALOGUE) as (_, client):
        for _ in range(3):
            await client.ok("tickets", item="zonghe")
        await client.ok("windows/1/open", clerk="c1")
        refused(await client.post("tickets/A001/requeue"), 409, "NotMissed")
        await client.ok("windows/1/call")
        await client.ok("windows/1/no-show")
        id = str(uuid4())
        back = await client.ok("tickets/A001/requeue", place=1, command_id=id)
        assert (back["fact"], back["window"]) == ("TicketRequeued", None)
        again = await client.ok("tickets/A001/requeue", place=1, command_id=id)
        assert again == back | {"repeated": True}
        assert (await client.get("tickets/A001"))["ahead"] == 1
        await client.ok("windows/1/call-ticket", ticket="A001", reason="急")
        await client.ok("windows/1/no-show")
        async with unchanged(client):
            response = await client.post("tickets/A001/requeue")
            refused(response, 409, "ReturnedEnough")
            response = await client.post("tickets/A002/requeue", command_id=id)
            refused(response, 409, "CommandIdReused", "command_id")


async def test_a_visitor_lets_others_go_first_with_the_link(
    serve_hall: ServeHall,
) -> None:
    async with open_door(serve_hall, CATALOGUE) as (_, client):
        taken = [await client.ok("tickets", item="zonghe") for _ in range(5)]
        token = taken[0]["token"]
        async with unchanged(client):
            wrongs: tuple[object, ...] = (
                None,
                "",
                taken[1]["token"],
                7,
                [],
                {},
                "令牌",
            )
            for wrong in wrongs:
                response = await client.post("tickets/A001/defer", token=wrong)
                refused(response, 403, "NotAllowed")
        id = str(uuid4())
        words: dict[str, object] = {"token": token, "command_id": id}
        put_off = await client.ok("tickets/A001/defer", **words)
        assert put_off["fact"] == "TicketRequeued"
        assert (await client.get("tickets/A001"))["ahead"] == 3
        again = await client.ok("tickets/A001/defer", **words)
        assert again == put_off | {"repeated": True}
        response = await client.post("tickets/A001/defer", token=token)
        refused(response, 409, "DeferredEnough")


# ── Time slots ──────────────────────────────────────────────────────────────


async def test_the_slots_of_a_day(serve_hall: ServeHall) -> None:
    clock = Clock()
    async with open_door(serve_hall, CATALOGUE, clock) as (_, client):
        today = await client.get(SLOTS)
        assert (today["item"], today["date"]) == ("zonghe", "2026-11-23")
        # From 9 to 17 without lunch, half an hour each; the one of now has begun.
        assert [slot["slot_at"][11:16] for slot in today["slots"]] == [
            "09:30", "10:00", "10:30", "11:00", "11:30",
            "13:30", "14:00", "14:30", "15:00", "15:30", "16:00", "16:30",
        ]  # fmt: skip
        assert {slot["free"] for slot in today["slots"]} == {2}
        assert today["slots"][1]["slot_at"] == TEN
        booked = await client.ok("bookings", item="zonghe", slot_at=TEN)
        assert (await client.get(SLOTS))["slots"][1] == {"slot_at": TEN, "free": 1}
        await client.ok("bookings", item="zonghe", slot_at=TEN)
        assert (await client.get(SLOTS))["slots"][1] == {"slot_at": TEN, "free": 0}
        response = await client.post("bookings", item="zonghe", slot_at=TEN)
        refused(response, 409, "SlotFull")
        other = await client.get("slots?item=shebao")
        assert other["slots"][1]["free"] == 2
        link = {"token": booked["token"]}
        await client.ok(f"bookings/{booked['booking']}/cancellation", **link)
        assert (await client.get(SLOTS))["slots"][1]["free"] == 1
        await client.ok("hall/close")
        assert (await client.get(SLOTS))["slots"] == []
        for date, count in (
            ("2026-11-24", 13), ("2026-11-28", 0), ("2026-11-30", 13),
            ("2026-12-01", 0), ("2026-11-22", 0), ("0001-01-01", 0), ("9999-12-31", 0),
        ):  # fmt: skip
            answer = await client.get(f"{SLOTS}&date={date}")
            assert len(answer["slots"]) == count, date


async def test_slots_that_there_cannot_be(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall, CATALOGUE) as (_, client), unchanged(client):
        for item in ("", "nix", "%00", "x" * 3_000, "%E4%BA%8B"):
            response = await client.http.get(f"/api/slots?item={item}")
            refused(response, 422, "UnknownItem", "item")
        refused(await client.http.get("/api/slots"), 422, "UnknownItem", "item")
        for date in ("", "today", "2026-13-01", "2026-02-30", "2026-11-23T10:00",
                     "20261123", "0000-00-00", "%EF%BC%92026-11-23", "2026-11-23%0A",
                     "9" * 900):  # fmt: skip
            response = await client.http.get(f"/api/{SLOTS}&date={date}")
            refused(response, 422, "BadInput", "date")
    async with open_door(serve_hall, load(SAMPLE)) as (_, client):
        response = await client.http.get(f"/api/{SLOTS}")
        refused(response, 409, "NoBooking")


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"slot_s": 300},
        {"slot_s": 5_000},
        {"slot_s": 8 * 3600},
        {"ahead_days": 0},
        {"quota": 1},
    ],
)
@pytest.mark.parametrize(
    "hours",
    [
        {},
        {"lunch": ()},
        {"open": "08:10", "close": "23:50"},
        # Its first hours are still those of the business day before.
        {"open": "00:30", "close": "23:30", "lunch": (), "day_starts": "06:00"},
        {"days": ("tue", "sun")},
    ],
)
def test_what_is_shown_as_free_is_what_the_rule_takes(
    words: dict[str, Any], hours: dict[str, Any]
) -> None:
    """Every five minutes of three days: shown with a place if and only if booked."""
    sample = load(SAMPLE)
    catalogue = msgspec.structs.replace(
        sample,
        hours=msgspec.structs.replace(sample.hours, **hours),
        booking=Booking(**({"quota": 2, "ahead_days": 1} | words)),
    )
    floor = FloorDay(catalogue)
    at = floor.at("10:02:00")
    for slot in slots(floor.day, at, "zonghe", floor.day.date)[:2]:
        for _ in range(slot.free - 1 or 1):  # One full, or nearly.
            book = commands.BookAppointment(item="zonghe", slot_at=slot.slot_at)
            floor.do(book, at)
    free = {}
    for ahead in range(-1, 4):
        date = floor.day.date + timedelta(days=ahead)
        for slot in slots(floor.day, at, "zonghe", date):
            assert slot.slot_at not in free
            free[slot.slot_at] = slot.free
    midnight = floor.at("00:00:00") - timedelta(days=1)
    asked = {midnight + timedelta(minutes=5 * n) for n in range(5 * 288)}
    for instant in sorted(asked | set(free)):
        book = commands.BookAppointment(item="zonghe", slot_at=instant)
        try:
            before = len(floor.entries)
            rule_says = bool(_decided(floor, book, at))
            assert len(floor.entries) == before
        except refusals.NoSuchSlot:
            assert instant not in free, instant
            continue
        except refusals.SlotFull:
            rule_says = False
        assert (free[instant] > 0) == rule_says, instant


def _decided(floor: FloorDay, command: commands.Command, at: datetime) -> object:
    from floor import effects

    return effects.decide(command, floor.day, at)


# ── Appointments ────────────────────────────────────────────────────────────


async def book(client: Client, **words: object) -> dict[str, Any]:
    return await client.ok("bookings", **({"item": "zonghe", "slot_at": TEN} | words))


async def test_a_booking_in_its_exact_shape_and_once(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall, CATALOGUE) as (_, client):
        id = str(uuid4())
        made = await book(client, identity=ID, command_id=id, channel="qr")
        assert made == {
            "booking": "20261123-001",
            "item": "zonghe",
            "slot_at": TEN,
            "token": token_of(KEY, "hall-1/bookings", "20261123-001"),
            "position": 2,
        }
        # The same instant, written otherwise.
        otherwise = {"identity": f" {ID}", "slot_at": "2026-11-23T02:00:00Z"}
        again = await book(client, **otherwise, command_id=id, channel="qr")
        assert again == made
        async with unchanged(client):
            for words in ({"identity": "13800138000"}, {"item": "shebao"}):
                response = await client.post(
                    "bookings",
                    **{"item": "zonghe", "slot_at": TEN, "command_id": id} | words,
                )
                refused(response, 409, "CommandIdReused", "command_id")
            response = await client.post(
                "bookings", item="zonghe", slot_at=TEN, identity=ID
            )
            refused(response, 409, "BookedAlready")
            response = await client.post("tickets", item="zonghe", identity=ID)
            refused(response, 409, "BookedAlready")


async def test_an_instant_of_no_time_of_ours_does_not_hurt_the_hall(
    serve_hall: ServeHall, caplog: pytest.LogCaptureFixture
) -> None:
    """The calendar ends at the years 1 and 9999; a rule must not fall off it."""
    far = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
           "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1999-12-31T23:59:59Z",
           "2200-01-01T00:00:00Z")  # fmt: skip
    async with open_door(serve_hall, CATALOGUE) as (_, client), unchanged(client):
        for instant in far:
            response = await client.post("bookings", item="zonghe", slot_at=instant)
            refused(response, 422, "BadInput", "slot_at")
            for field, other in (("from_at", "to_at"), ("to_at", "from_at")):
                words = {field: instant, other: TEN, "reason": "断电"}
                response = await client.post("hall/outage", **words)
                refused(response, 422, "BadInput", field)
        for instant in ("2000-01-01T00:00:00+14:00", "2199-12-31T23:59:59-14:00"):
            response = await client.post("bookings", item="zonghe", slot_at=instant)
            refused(response, 422, "NoSuchSlot", "slot_at")
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


async def test_a_booking_belongs_to_whoever_has_its_link(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall, CATALOGUE) as (_, client):
        mine, other = await book(client), await book(client, item="shebao")
        path = f"bookings/{mine['booking']}"
        async with unchanged(client):
            wrongs: tuple[object, ...] = (
                None, "", other["token"], "0" * 24, mine["token"].upper(), 7, [], {},
                token_of(KEY, STREAM, mine["booking"]),
                token_of(b"x" * 32, "hall-1/bookings", mine["booking"]),
            )  # fmt: skip
            for wrong in wrongs:
                for word in ("cancellation", "check-in"):
                    response = await client.post(f"{path}/{word}", token=wrong)
                    refused(response, 403, "NotAllowed")
            for number in ("20261123-999", "x", "%00", "9" * 900, "20261123-001%0A"):
                response = await client.post(f"bookings/{number}/cancellation")
                refused(response, 403, "NotAllowed")
        id = str(uuid4())
        words = {"token": mine["token"], "command_id": id}
        gone = await client.ok(f"{path}/cancellation", **words)
        assert (gone["fact"], gone["ticket"]) == ("AppointmentCancelled", None)
        again = await client.ok(f"{path}/cancellation", **words)
        assert again == gone | {"repeated": True}
        response = await client.post(f"{path}/check-in", token=mine["token"])
        refused(response, 409, "BookingOver")


async def test_a_cancellation_that_comes_too_late(serve_hall: ServeHall) -> None:
    clock = Clock()
    async with open_door(serve_hall, CATALOGUE, clock) as (_, client):
        made = await book(client)
        clock.at += timedelta(seconds=1)  # Less than an hour before ten.
        path = f"bookings/{made['booking']}/cancellation"
        refused(await client.post(path, token=made["token"]), 409, "CancelledTooLate")


async def test_a_check_in_is_answered_like_a_ticket(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall, CATALOGUE) as (_, client):
        made = await book(client)
        await client.ok("tickets", item="zonghe")
        id = str(uuid4())
        words = {"token": made["token"], "command_id": id, "channel": "qr"}
        response = await client.post(f"bookings/{made['booking']}/check-in", **words)
        assert response.status_code == 201
        ticket = response.json()
        # Its half past nine is still to come, so the walk-in of nine goes first.
        assert ticket | {"windows": []} == {
            "ticket": "AP001",
            "item": "zonghe",
            "ahead": 1,
            "windows": [],
            "token": token_of(KEY, STREAM, "AP001"),
            "position": 4,
        }
        again = await client.ok(f"bookings/{made['booking']}/check-in", **words)
        assert again == ticket
        # The ticket's own link is good for what a ticket's link is good for.
        await client.ok("tickets/AP001/abandonment", token=ticket["token"])


async def test_a_check_in_by_identity_finds_todays_booking(
    serve_hall: ServeHall,
) -> None:
    async with open_door(serve_hall, CATALOGUE) as (_, client):
        tomorrow = "2026-11-24T09:00:00+08:00"
        await book(client, identity=ID, slot_at=tomorrow)
        response = await client.post("check-in", identity=ID)
        refused(response, 404, "NothingBooked", "identity")
        await book(client, identity=ID, item="shebao", slot_at=ELEVEN)
        await book(client, identity=ID)
        await book(client, identity=ID, item="yibao", slot_at=TWO)
        id = str(uuid4())
        first = await client.ok(
            "check-in", identity=f"{ID[:6]} {ID[6:]}", command_id=id
        )
        assert first["item"] == "zonghe", "The earliest of them."
        again = await client.ok("check-in", identity=ID, command_id=id)
        assert again == first
        named = await client.ok("check-in", identity=ID, item="yibao", channel="staff")
        assert named["ticket"].startswith("DP")
        async with unchanged(client):
            response = await client.post(
                "check-in", identity=ID, item="shebao", command_id=id
            )
            refused(response, 409, "CommandIdReused", "command_id")
            response = await client.post("check-in", identity=ID, item="yibao")
            refused(response, 409, "TicketInHand")
            for words in (
                {"identity": "13800138000"},
                {"identity": ID, "item": "huji"},
            ):
                response = await client.post("check-in", **words)
                refused(response, 404, "NothingBooked", "identity")
            nobody: tuple[dict[str, object], ...] = (
                {}, {"identity": None}, {"item": "zonghe"}
            )  # fmt: skip
            for none in nobody:
                response = await client.post("check-in", **none)
                refused(response, 422, "BadInput", "identity")
        last = await client.ok("check-in", identity=ID)
        assert last["item"] == "shebao"
        refused(await client.post("check-in", identity=ID), 409, "TicketInHand")


async def test_one_card_read_twice_at_once_gives_one_ticket(
    serve_hall: ServeHall,
) -> None:
    async with open_door(serve_hall, CATALOGUE) as (served, client):
        await book(client, identity=ID)
        id = str(uuid4())
        answers = await asyncio.gather(
            *(client.ok("check-in", identity=ID, command_id=id) for _ in range(6)),
            client.post("check-in", identity=ID),
        )
        assert answers[:6] == [answers[0]] * 6
        assert list(served.floor.feed.day.tickets) == ["AP001"]


# ── The hall ────────────────────────────────────────────────────────────────


async def test_the_hall_is_closed_and_opened_again(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall, CATALOGUE) as (served, client):
        refused(await client.post("hall/reopen"), 409, "HallNotClosed")
        id = str(uuid4())
        closed = await client.ok("hall/close", reason="emergency", command_id=id)
        assert (await client.get("hall"))["closed"]
        again = await client.ok("hall/close", reason="emergency", command_id=id)
        assert again == closed | {"repeated": True}
        outage = list(read(served.path))[-2].fact
        assert isinstance(outage, facts.OutageDeclared)
        opened = await client.ok("hall/reopen", reason="演练结束")
        assert (opened["fact"], opened["ticket"]) == ("HallReopened", None)
        await client.ok("tickets", item="zonghe")


async def test_an_outage_is_declared(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall, CATALOGUE) as (served, client):
        words = {"from_at": "2026-11-23T08:00:00+08:00", "to_at": TEN, "reason": "断电"}
        done = await client.ok("hall/outage", **words)
        assert done["fact"] == "OutageDeclared"
        async with unchanged(client):
            for wrong in (
                {"to_at": words["from_at"]},
                {"from_at": "2026-11-20T09:00:00Z"},
            ):
                response = await client.post("hall/outage", **words | wrong)
                refused(response, 422, "BadOutage", "from_at")
        declared = list(read(served.path))[-1].fact
        assert isinstance(declared, facts.OutageDeclared)
        assert declared.from_at == NINE - timedelta(hours=1)


def grown(catalogue: Catalogue, items: int) -> Catalogue:
    """A catalogue as large as that of a city."""
    one = catalogue.items[0]
    more = tuple(
        msgspec.structs.replace(one, id=f"more-{n}", name=f"事项{n}" * 6, prefix=prefix)
        for n, prefix in zip(range(items), _prefixes(), strict=False)
    )
    first = catalogue.windows[0]
    window = msgspec.structs.replace(
        first, items=(*first.items, *(item.id for item in more))
    )
    return msgspec.structs.replace(
        catalogue,
        items=(*catalogue.items, *more),
        windows=(window, *catalogue.windows[1:]),
    )


def _prefixes() -> Any:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return (f"{a}{b}{c}" for a in letters for b in letters for c in letters)


def sent(catalogue: Catalogue) -> Any:
    return json.loads(msgspec.json.encode(catalogue))


async def test_a_catalogue_comes_into_force_in_the_middle_of_a_day(
    serve_hall: ServeHall,
) -> None:
    async with open_door(serve_hall, CATALOGUE) as (served, client):
        await client.ok("tickets", item="zonghe")
        large = grown(CATALOGUE, 700)
        words = sent(large)
        assert len(json.dumps(words)) > 200_000
        id = str(uuid4())
        done = await client.ok("hall/catalogue", catalogue=words, command_id=id)
        assert done["fact"] == "CataloguePublished"
        again = await client.ok("hall/catalogue", catalogue=words, command_id=id)
        assert again == done | {"repeated": True}
        assert served.floor.feed.day.catalogue == large
        assert (await client.ok("tickets", item="more-7"))["ticket"] == "AAH001"
        assert (await client.get("tickets/A001"))["state"] == "waiting"


async def test_a_catalogue_that_cannot_be_is_refused(serve_hall: ServeHall) -> None:
    async with open_door(serve_hall, CATALOGUE) as (_, client):
        await client.ok("tickets", item="zonghe")
        await client.ok("windows/1/open", clerk="c1")
        right = sent(CATALOGUE)
        async with unchanged(client):
            for words, code, field in (
                (right | {"hall": "hall-2"}, "OtherHall", "catalogue"),
                (right | {"items": right["items"][1:]}, "BadInput", "catalogue"),
                (right | {"items": []}, "BadInput", "catalogue"),
                (right | {"time_zone": "Europe/Berlin"}, "BadInput", "time_zone"),
                (right | {"time_zone": "Mars/Base"}, "BadInput", "catalogue"),
                (right | {"surprise": 1}, "BadInput", "catalogue"),
                (right | {"windows": right["windows"][1:]}, "WindowStillOpen",
                 "catalogue"),
                ({}, "BadInput", "hall"),
            ):  # fmt: skip
                response = await client.post("hall/catalogue", catalogue=words)
                refused(response, 422, code, field)
            deep = b'{"catalogue":' * 100_000
            for body in (deep, b"[" * 1_900_000, b"{", b"\xff" * 9):
                response = await client.http.post("/api/hall/catalogue", content=body)
                refused(response, 422, "BadInput", "body")
            response = await client.http.post(
                "/api/hall/catalogue", content=b" " * 2_000_001
            )
            refused(response, 413, "TooLarge")
            # Nothing else may be so large.
            response = await client.http.post("/api/hall/close", content=b" " * 20_000)
            refused(response, 413, "TooLarge")


# ── Why was I overtaken ─────────────────────────────────────────────────────


async def test_a_visitor_asks_who_was_called_before(serve_hall: ServeHall) -> None:
    clock = Clock()
    async with open_door(serve_hall, CATALOGUE, clock) as (_, client):
        for _ in range(2):
            await client.ok("tickets", item="zonghe", identity=None)
        await client.ok("windows/1/open", clerk="张三")
        clock.at += timedelta(minutes=5)
        called = await client.ok("windows/1/call-ticket", ticket="A002", reason="急")
        expected = {
            "ticket": "A001",
            "summary": "您等候期间，有1次叫号没有按先来后到，原因如下",
            "overtaken": [
                {
                    "ticket": "A002",
                    "window": "1",
                    "at": "2026-11-23T01:05:00+00:00",
                    "position": called["position"],
                    "because": "by_hand",
                    "reason": "指定呼叫：急",
                    "sentence": "9:05 A002 先于您被叫到1号窗口：指定呼叫：急",
                }
            ],
            "earlier": 0,
            "elsewhere": 0,
        }
        assert await client.get("tickets/A001/why") == expected
        assert await client.get("tickets/A001/why?lang=zh") == expected
        english = await client.get("tickets/A001/why?lang=en")
        assert english["overtaken"][0]["sentence"] == (
            "9:05 A002 was called to window 1 before you: chosen by hand: 急"
        )
        assert "张三" not in str(english), "Nobody is named."
        for lang in ("", "ZH", "fr", "zh,en", "%00", "x" * 900):
            response = await client.http.get(f"/api/tickets/A001/why?lang={lang}")
            refused(response, 422, "BadInput", "lang")
        for ticket in ("A009", "a001", "%00", "x" * 300):
            response = await client.http.get(f"/api/tickets/{ticket}/why")
            refused(response, 404, "UnknownTicket", "ticket")


async def test_a_hall_that_starts_again_still_knows_why(
    serve_hall: ServeHall, tmp_path: Path
) -> None:
    path = tmp_path / "again.db"
    day = FloorDay().play(
        """
        09:00:00 opens 1
        09:00:10 takes zonghe
        09:00:20 takes zonghe
        09:01:00 calls 1 A002 急
        """
    )
    with Log(path) as held:
        held.append(day.entries)
    at = day.at("09:02:00")
    async with (
        serve_hall(clock=lambda: at, path=path) as served,
        httpx.AsyncClient(base_url=served.url, trust_env=False) as http,
    ):
        answer = (await http.get("/api/tickets/A001/why")).json()
        assert [each["ticket"] for each in answer["overtaken"]] == ["A002"]
        # A day that begins empty knows nothing of the one before.
        at += timedelta(days=1)
        await http.post("/api/tickets", json={"item": "zonghe"})
        answer = (await http.get("/api/tickets/A001/why")).json()
        assert answer["overtaken"] == []


# ── From the front door ─────────────────────────────────────────────────────


def says(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(front.main, list(words))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.exit_code, done.output


@pytest.fixture
def toml(tmp_path: Path) -> Callable[[Callable[[str], str]], Path]:
    """A file with the sample catalogue, changed."""

    def write(change: Callable[[str], str]) -> Path:
        path = tmp_path / "changed.toml"
        path.write_text(change(SAMPLE.read_text("utf-8")), encoding="utf-8")
        return path

    return write


Toml = Callable[[Callable[[str], str]], Path]


async def test_a_file_is_published_from_the_command_line(
    serve_hall: ServeHall, toml: Toml
) -> None:
    async with open_door(serve_hall, load(SAMPLE)) as (served, client):
        path = toml(lambda text: text.replace("综合受理", "一窗综合受理"))
        words = ("publish", "--hall", str(path), "--url", served.url)
        code, text = await asyncio.to_thread(says, *words)
        assert code == 0, text
        assert re.search(r"青禾县政务服务中心.*#2\n", text)
        assert served.floor.feed.day.items["zonghe"].name == "一窗综合受理"
        async with unchanged(client):
            other = toml(lambda text: text.replace('"hall-1"', '"hall-2"'))
            code, text = await asyncio.to_thread(says, *words)
            assert (code, "hall-2" in text) == (2, True)
            other.write_text("hall = 7", encoding="utf-8")
            code, text = await asyncio.to_thread(says, *words)
            assert (code, "Traceback" in text) == (2, False)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1",
        "gopher://x",
        "nonsense",
        "",
        "http://[",
        "http://127.0.0.1:x",
    ],
)
def test_a_hall_that_is_not_there_gets_a_sentence(url: str) -> None:
    code, text = says("publish", "--url", url)
    assert code == 2
    assert re.search(r"[\u4e00-\u9fff]", text)
    assert "Traceback" not in text


def test_why_is_told_from_a_log(tmp_path: Path) -> None:
    day = FloorDay().play(
        """
        09:00:00 opens 1
        09:00:10 takes zonghe
        09:00:20 takes zonghe
        09:01:00 calls 1 A002 急
        +1 09:00:00 takes zonghe
        """
    )
    path = tmp_path / "events.db"
    with Log(path) as held:
        held.append(day.entries)
    log = ("--log", str(path))
    code, text = says("why", "A001", *log, "--day", "2026-11-23")
    assert (code, text.splitlines()) == (
        0,
        [
            "2026-11-23 A001 您等候期间，有1次叫号没有按先来后到，原因如下",
            "9:01 A002 先于您被叫到1号窗口：指定呼叫：急  #5",
        ],
    )
    code, text = says("why", "A001", *log, "--lang", "en", "--hall", "hall-1")
    assert (code, text) == (
        0,
        "2026-11-24 A001 No window that could call you has called anybody before you\n",
    )
    for words in (
        ("why", "A009", *log),
        ("why", "A001", *log, "--day", "2026-11-20"),
        ("why", "A001", "--log", str(tmp_path / "missing.db")),
        ("why", "\x00", *log),
        ("why", "A001", *log, "--hall", "hall-2"),
    ):
        code, text = says(*words)
        assert code == 2, words
        assert re.search(r"[\u4e00-\u9fff]", text)
        assert "Traceback" not in text
