"""Files as they come: any dress, any damage, and the hall that they show."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from brought import GOOD, HEADER, MAP, Brought, bring, bring_bytes, left, row
from floor import facts
from floor.intake import records
from floor.intake.records import BadFile

# ── Files as they come ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "raw",
    [
        f"{HEADER}\n{GOOD}\n".encode("utf-8-sig"),
        f"{HEADER}\r\n{GOOD}\r\n".encode(),
        f"{HEADER}\r{GOOD}".encode(),
        f"\n\n{HEADER}\n\n  \n{GOOD}\n\n".encode(),
        gzip.compress(f"{HEADER}\n{GOOD}\n".encode()),
        (
            "\n".join([HEADER, ",".join(f' "{c}"'[1:] for c in GOOD.split(","))])
        ).encode(),
        f"{HEADER}\n{GOOD.replace(',', ' , ')}\n".encode(),
    ],
    ids=["bom", "crlf", "cr", "blank", "gzip", "quoted", "spaced"],
)
def test_the_same_tickets_in_any_dress(tmp_path: Path, raw: bytes) -> None:
    brought = bring_bytes(tmp_path, raw)
    assert brought.counts.taken == brought.counts.rows == 1
    assert brought.told[0] == "09:00:00 TicketTaken A001"


def test_another_encoding_and_delimiter_and_words_for_nothing(tmp_path: Path) -> None:
    map = MAP + '[file]\nencoding = "gb18030"\ndelimiter = ";"\nempty = ["无"]\n'
    rows = [HEADER, GOOD.replace("PS", "户籍"), left("2", "09:00:00 09:01:00")]
    text = "\n".join(rows).replace(",;", ";").replace(",", ";")
    text = text.replace(";;;", ";无;无;")
    brought = bring_bytes(tmp_path, text.encode("gb18030"), map)
    assert brought.counts.taken == 2
    published = brought.entries[0].fact
    assert isinstance(published, facts.CataloguePublished)
    assert [item.id for item in published.catalogue.items] == ["PS", "户籍"]


def test_a_quoted_cell_may_run_over_lines_and_a_stray_quote_costs_one_row(
    tmp_path: Path,
) -> None:
    brought = bring(
        tmp_path,
        GOOD.replace("PS", '"P\nS"'),
        '2,"stray,ANN',
        row("3", "10:00:00 10:01:00 10:01:00 10:05:00"),
        row("4", "11:00:00 11:01:00 11:01:00 11:05:00", item='"N, ""W"""'),
    )
    assert brought.codes == {4: "BadQuotes"}
    published = brought.entries[0].fact
    assert isinstance(published, facts.CataloguePublished)
    assert [i.name for i in published.catalogue.items] == ['N, "W"', "P S", "PS"]
    assert brought.entries[1].fact.command == "calls.csv:2:take"
    assert {e.fact.command.split(":")[1] for e in brought.entries[1:-1]} == {
        "2",
        "5",
        "6",
    }


def test_bytes_that_are_no_text_cost_their_row_alone(tmp_path: Path) -> None:
    raw = f"{HEADER}\n{GOOD}\n".encode() + GOOD.encode().replace(b"PS", b"\xff\xfe")
    brought = bring_bytes(tmp_path, raw)
    assert brought.codes == {3: "NotText"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b"\n\n \n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (HEADER.encode(), "no tickets"),
        (b"no,item\n1,PS\n", "0 columns 'desk'"),
        (f"{HEADER},item\n{GOOD},x\n".encode(), "2 columns 'item'"),
        (HEADER.replace(",", ";").encode(), "0 columns"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "header"),
        (b"x" * 100_000, "longer than"),
        (gzip.compress(f"{HEADER}\n{GOOD}\n".encode() * 500)[:-20], "gzip"),
        (b"\x1f\x8b" + b"not gzip at all", "gzip"),
        (gzip.compress(b"a" * 9)[:10] + b"\xff" * 30, "gzip"),
        (f"{HEADER}\n{GOOD}x\n2,PS\n".encode(), "All 2 rows"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, raw: bytes, said: str
) -> None:
    with pytest.raises(BadFile) as refused:
        bring_bytes(tmp_path, raw)
    assert said in refused.value.message["en"]
    assert refused.value.message["zh"]
    assert not (tmp_path / "h.db").exists()
    assert not list(tmp_path.glob("*.part-*"))


@pytest.mark.parametrize("name", ["nothing.csv", "."])
def test_a_file_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadFile, match="cannot be read"):
        Brought(tmp_path, tmp_path / name, MAP)


def test_a_file_with_more_than_fits_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = "\n".join([HEADER, *[GOOD] * 5]).encode()
    for bound, most in (("ROWS_MAX", 4), ("LINES_MAX", 5), ("CHARS_MAX", 100)):
        with monkeypatch.context() as patched:
            patched.setattr(records, bound, most)
            with pytest.raises(BadFile, match="split it"):
                bring_bytes(tmp_path, many)


def test_more_windows_or_items_than_a_hall_has_are_refused(tmp_path: Path) -> None:
    times = "09:00:00 09:01:00 09:01:00 09:05:00"
    with pytest.raises(BadFile, match="501 windows; 500 at most"):
        bring(tmp_path, *(row(str(n), times, desk=f"d{n}") for n in range(501)))
    with pytest.raises(BadFile, match="2001 items; 2000 at most"):
        bring(tmp_path, *(row(str(n), times, item=f"i{n}") for n in range(2001)))


# ── The hall that the file shows ───────────────────────────────────────────────


def test_the_catalogue_does_not_depend_on_the_order_of_rows(
    tmp_path: Path,
) -> None:
    times = "09:00:00 09:01:00 09:01:00 09:05:00"
    rows = [row(str(n), times, item=f"i{n:02}", desk=f"d{n % 7}") for n in range(30)]
    shown = []
    for order in (rows, rows[::-1]):
        with TemporaryDirectory(dir=tmp_path) as folder:
            file = Path(folder, "calls.csv")
            file.write_text("\n".join([HEADER, *order]))
            first = Brought(Path(folder), file, MAP).entries[0].fact
        assert isinstance(first, facts.CataloguePublished)
        shown.append(first.catalogue)
    assert shown[0] == shown[1]
    prefixes = [item.prefix for item in shown[0].items]
    assert prefixes[:2] + prefixes[25:28] == ["A", "B", "Z", "AA", "AB"]
    assert [window.id for window in shown[0].windows] == list("1234567")


def test_items_are_named_by_the_map_and_windows_handle_what_they_served(
    tmp_path: Path,
) -> None:
    named = """
    [items]
    name = "{office} 第{item}项"
    service_s = 60
    [items.known."A/1.户 籍"]
    name = "户籍"
    name_en = "Households"
    service_s = 120
    [windows]
    name = "坐席"
    name_en = "Agent"
    department = "部门"
    """
    map = MAP.replace('item = ["item"]', 'item = ["office", "item"]') + named
    rows = (
        row("1", "09:00:00 09:01:00 09:01:00 09:05:00", item="户 籍") + ",A/1",
        row("2", "09:00:00 09:05:00 09:05:00 09:06:00", item="x") + ",B",
        left("3", "09:00:00 09:06:00", item="never") + ",B",
    )
    published = (
        bring(tmp_path, *rows, header=HEADER + ",office", map=map).entries[0].fact
    )
    assert isinstance(published, facts.CataloguePublished)
    items = [
        (item.id, item.name, item.name_en, item.service_s)
        for item in published.catalogue.items
    ]
    assert items == [
        ("A-1.户-籍", "户籍", "Households", 120),
        ("B.never", "B 第never项", "B.never", 60),
        ("B.x", "B 第x项", "B.x", 60),
    ]
    windows = [(window.id, window.items) for window in published.catalogue.windows]
    assert windows == [("1", ("A-1.户-籍", "B.x")), ("2", ("B.never",))]


def test_names_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    times = "09:00:00 09:01:00 09:01:00 09:05:00"
    with pytest.raises(BadFile, match="would both have the id 'a-b'"):
        bring(tmp_path, row("1", times, item="a b"), row("2", times, item="a/b"))


def test_long_names_stay_apart(tmp_path: Path) -> None:
    times = "09:00:00 09:01:00 09:01:00 09:05:00"
    brought = bring(
        tmp_path,
        row("1", times, item="长" * 90 + "1", desk="x" * 99),
        row("2", times, item="长" * 90 + "2", desk="y" * 99),
    )
    assert brought.counts.taken == 2


def test_a_server_named_like_an_unknown_one_keeps_its_own_window(
    tmp_path: Path,
) -> None:
    times = "09:00:00 09:01:00 09:01:00 09:05:00"
    brought = bring(
        tmp_path,
        row("1", times, desk="unknown-2"),
        row("2", times, desk=""),
        map=MAP + '[missing]\nwindow = "per-item"\n',
    )
    clerks = {
        entry.fact.window: entry.fact.clerk
        for entry in brought.entries
        if isinstance(entry.fact, facts.WindowOpened)
    }
    assert clerks == {"1": "unknown-2", "2": "unknown-2-"}
