"""Recorded files for the tests of the import, and what became of them."""

import csv
from datetime import timedelta
from pathlib import Path

from floor import log
from floor.intake import maps
from floor.intake.tickets import import_tickets

CHECKOUT = Path(__file__).parent.parent
HEADER = "no,item,desk,arrive,call,start,end,outcome"
MAP = """
source = "a test"
acknowledgement = "nobody"

[hall]
hall = "h"
name = "测试大厅"
name_en = "Test hall"
time_zone = "Asia/Shanghai"

[columns]
ticket = ["no"]
item = ["item"]
window = ["desk"]
arrive = ["arrive"]
call = ["call"]
start = ["start"]
end = ["end"]
outcome = ["outcome"]

[outcome]
served = ["ok"]
abandoned = ["gone"]
"""


class Brought:
    """What an import made: its counts, the log and the report."""

    def __init__(self, folder: Path, file: Path, map: str) -> None:
        map_path = folder / "map.toml"
        map_path.write_text(map, encoding="utf-8")
        self.log = folder / "h.db"
        self.counts = import_tickets(file, maps.load(map_path), self.log)
        self.entries = list(log.read(self.log))
        report = folder / "h.db.refused.csv"
        with report.open(encoding="utf-8-sig", newline="") as lines:
            self.refused = list(csv.DictReader(lines))

    @property
    def told(self) -> list[str]:
        """Each fact as `HH:MM:SS topic ticket`, without the catalogue."""
        return [
            f"{entry.fact.at + timedelta(hours=8):%H:%M:%S} {entry.topic} "
            f"{getattr(entry.fact, 'ticket', '')}".strip()
            for entry in self.entries[1:]
        ]

    @property
    def codes(self) -> dict[int, str]:
        return {int(row["line"]): row["code"] for row in self.refused}


def bring(folder: Path, *rows: str, header: str = HEADER, map: str = MAP) -> Brought:
    """Import rows below the usual header, with the map changed as given."""
    return bring_bytes(folder, "\n".join([header, *rows, ""]).encode(), map)


def bring_bytes(folder: Path, raw: bytes, map: str = MAP) -> Brought:
    file = folder / "calls.csv"
    file.write_bytes(raw)
    return Brought(folder, file, map)


def row(
    no: str,
    times: str,
    *,
    item: str = "PS",
    desk: str = "ANN",
    outcome: str = "ok",
    day: str = "2026-11-23",
) -> str:
    """A row of the usual file; `times` are arrive call start end, `-` is empty."""
    cells = ["" if t == "-" else f"{day}T{t}" for t in times.split()]
    return ",".join([no, item, desk, *cells, outcome])


def left(no: str, times: str, *, item: str = "PS") -> str:
    return row(no, f"{times} - -", item=item, desk="", outcome="gone")


GOOD = row("1", "09:00:00 09:01:00 09:01:10 09:05:00")
