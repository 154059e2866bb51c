"""A map that makes no sense is refused in one sentence before a row is read."""

from pathlib import Path

import pytest

from brought import CHECKOUT, MAP
from floor.intake import maps


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('source = "a test"', "source =", "not valid TOML"),
        ('source = "a test"', "", "source"),
        ('source = "a test"', 'source = "x"\nextra = 1', "extra"),
        ("[columns]", '[columns]\nfrom = ["x"]', "from"),
        ('item = ["item"]', "item = []", "columns.item"),
        ('item = ["item"]', 'item = "item"', "columns.item"),
        ('hall = "h"', 'hall = "H 1"', "hall.hall"),
        ("Asia/Shanghai", "Asia/Nowhere", "no time zone 'Asia/Nowhere'"),
        ("Asia/Shanghai", "../../etc/passwd", "no time zone"),
        ("[outcome]", '[time]\nzone = "Mars"\n[outcome]', "no time zone 'Mars'"),
        ("[outcome]", '[time]\nformat = "%H:%M"\n[outcome]', "must tell"),
        ("[outcome]", '[time]\nformat = "%Q"\n[outcome]', "must tell"),
        ("[outcome]", '[time]\nformat = "%Y-%m-%d"\n[outcome]', "must tell"),
        ("[outcome]", '[file]\nencoding = "rot13"\n[outcome]', "file.encoding"),
        ("[outcome]", '[file]\ndelimiter = "--"\n[outcome]', "file.delimiter"),
        ("[outcome]", '[hall.hours]\nopen = "18:00"\n[outcome]', "Hours"),
        ("[outcome]", '[missing]\nend = "guess"\n[outcome]', "missing.end"),
        ("[outcome]", "[limits]\nwait_s = -1\n[outcome]", "limits.wait_s"),
        (
            "[outcome]",
            '[order]\nstart_before_call = {within_s = 2, take = "end"}\n[outcome]',
            "start_before_call can take call or start only",
        ),
        ("[outcome]", '[items]\nname = "{desk}"\n[outcome]', "{desk}"),
        ("[outcome]", '[items]\nname = "{item.__class__}"\n[outcome]', "not a column"),
        ('abandoned = ["gone"]', 'abandoned = ["ok"]', "both served and abandoned"),
        ('served = ["ok"]', "", "words for served"),
        ('served = ["ok"]', 'rule = "served-if-called"', "leave column"),
        (
            'call = ["call"]\nstart = ["start"]',
            "",
            "the call column or the start column",
        ),
    ],
)
def test_a_map_that_makes_no_sense_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in MAP
    (tmp_path / "map.toml").write_text(MAP.replace(old, new), encoding="utf-8")
    with pytest.raises(maps.BadMap) as refused:
        maps.load(tmp_path / "map.toml")
    assert said in refused.value.message["en"]
    assert refused.value.message["zh"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xff", "not UTF-8"),
        (b"#" * 1_300_000, "larger than"),
        (b"a = " + b"[" * 50_000, "not valid TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_map_that_cannot_be_read_is_refused(
    tmp_path: Path, raw: bytes | None, said: str
) -> None:
    if raw is not None:
        (tmp_path / "map.toml").write_bytes(raw)
    with pytest.raises(maps.BadMap, match=said):
        maps.load(tmp_path / "map.toml")


@pytest.mark.parametrize("name", ["bank", "warsaw"])
def test_the_shipped_maps_can_be_used_and_thank_their_source(name: str) -> None:
    assert maps.load(CHECKOUT / "floor" / "maps" / f"{name}.toml").acknowledgement
