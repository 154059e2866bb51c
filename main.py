"""叫好 Jiaohao: the front door. One command for each job.

The only file that knows all rooms, and the only one that reads the clock. Each command
imports what it needs when it runs, so that a clerk's terminal starts at once.
"""

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from floor.operating import (
    COMMANDS,
    FILE,
    HALL,
    PORT,
    lang_option,
    log_option,
    url_option,
    with_sentences,
)

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from floor.door import Floor
    from floor.facts import Entry
    from floor.log import Place
    from scoring.report import Lang

HERE = Path(__file__).parent
RULEBOOK = HERE / "scoring" / "rulebook.toml"
DEMO = HERE / "demo"


port_option = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    envvar="JIAOHAO_PORT",
    help="端口 Port; 0 takes a free one.",
)


def now() -> datetime:
    """The one clock of the house, aware UTC."""
    return datetime.now(UTC)  # noqa: TID251


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """叫好 Jiaohao: 排队叫号与窗口考核 Queue calling and window assessment."""


for command in COMMANDS:
    main.add_command(command)


@main.command()
@log_option
@click.option(
    "--hall", "halls", type=FILE, multiple=True, default=[HALL], help="目录 Catalogues."
)
@click.option("--host", default="127.0.0.1", help="监听地址 Address to listen on.")
@port_option
@click.option("--dev", is_flag=True, help="免登录，仅限本机 No sign-in, loopback only.")
@click.option("--standby", is_flag=True, help="备用 Wait for the hall, then take over.")
@click.option(
    "--free-mb",
    type=click.IntRange(0),
    default=500,
    envvar="JIAOHAO_FREE_MB",
    help="磁盘余量警报 Alarm when less room is left for the log.",
)
def serve(
    log: "Place",
    halls: Sequence[Path],
    host: str,
    port: int,
    dev: bool,
    standby: bool,
    free_mb: int,
) -> None:
    """开厅 Serve the hall on one port: pages, screens, terminals, API."""
    from floor.serving import check_host, serve_halls

    with_sentences(lambda: check_host(host, dev=dev))
    serving = serve_halls(
        log,
        halls,
        host,
        port,
        now,
        rooms,
        standby=standby,
        free_bytes_min=free_mb * 1_000_000,
        say=click.echo,
    )
    run(serving)


def shown(
    floor: "Floor", read: "Callable[[], Iterable[Entry]]"
) -> "Sequence[BaseRoute]":
    """The routes of everything that looks at a hall, live or recorded."""
    import displays.server
    import scoring.server
    from floor import api

    return [
        *api.routes(floor),
        *displays.server.routes(floor),
        *scoring.server.routes(floor, read),
    ]


def rooms(
    floor: "Floor", read: "Callable[[], Iterable[Entry]]"
) -> "Sequence[BaseRoute]":
    """The routes of a hall at work: what is shown, and the clerks' terminals."""
    import callers.server

    return [*shown(floor, read), *callers.server.routes(floor)]


@main.command()
@click.option("--window", required=True, help="窗口号 Window.")
@click.option("--clerk", default="", help="工号 Clerk.")
@url_option
@lang_option
def caller(window: str, clerk: str, url: str, lang: "Lang") -> None:
    """叫号终端 The clerk's terminal at a window."""
    from callers.app import CallerApp

    with_sentences(lambda: CallerApp(url, window, clerk, lang)).run()


@main.command()
@click.option("--panel", type=click.Choice(["console"]), default="console")
@url_option
def led(panel: str, url: str) -> None:
    """LED 条屏 Show the strips above the windows; `console` prints them here."""
    import displays.led

    run(displays.led.run(url, displays.led.ConsolePanel()))


@main.command()
@click.option(
    "--wav",
    type=click.Path(path_type=Path, file_okay=False),
    help="只写 WAV 文件 Write WAV files here instead of playing.",
)
@url_option
@lang_option
def voice(wav: Path | None, url: str, lang: "Lang") -> None:
    """语音播报 Speak the calls: chime and sentence."""
    import displays.voice

    cache = Path.home() / ".cache" / "jiaohao" / "voice"
    run(displays.voice.run(url, wav=wav, cache=cache, lang=lang, clock=now))


@main.command()
@log_option
@click.option("--rulebook", type=FILE, default=RULEBOOK, help="考核细则 The rulebook.")
@click.option("--as-of", default="", help="截至时刻 The score at this instant (ISO).")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "html"]), default="text"
)
@lang_option
def score(log: "Place", rulebook: Path, as_of: str, form: str, lang: "Lang") -> None:
    """千分制考核 The 1000-point assessment of each window, with its evidence."""
    click.echo(with_sentences(lambda: _score(log, rulebook, as_of, form, lang)))


def _score(log: "Place", rulebook: Path, as_of: str, form: str, lang: "Lang") -> str:
    from floor.log import read, read_catalogue
    from scoring import report
    from scoring.assessment import assess
    from scoring.instant import parse_instant
    from scoring.rulebook import load

    zone = read_catalogue(log).zone
    instant = parse_instant(as_of, zone) if as_of else None
    assessment = assess(read(log), load(rulebook), as_of=instant)
    if form == "json":
        return report.to_json(assessment)
    if form == "html":
        return report.to_html(assessment, lang)
    return report.to_text(assessment, lang)


@main.command()
@log_option
@click.option("--speed", type=click.FloatRange(0.1, 100_000), default=60.0)
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="营业日 Business day.")
@port_option
def replay(log: "Place", speed: float, day: datetime | None, port: int) -> None:
    """回放 Play a recorded day to screens and voice."""
    run(_replay(log, speed, day.date() if day else None, port))


async def _replay(log: "Place", speed: float, day: date | None, port: int) -> None:
    from floor import door
    from floor.recording import Recording

    recording = Recording(log, day)
    floor = door.Floor(recording.feed, None, recording.clock, door.DevGate(), b"")
    # The assessment of a recorded day is that of what has been shown of it.
    app = door.application(floor, shown(floor, lambda: recording.feed.after(0)))
    async with door.running(app, door.listen("127.0.0.1", port)) as url:
        click.echo(f"回放 {recording.day}  {url}/screens/hall  x{speed:g}")
        await recording.play(speed)
    click.echo("回放结束 The recorded day is over.")


@main.command()
@click.option(
    "--speed", type=click.FloatRange(1, 2_000), help="倍速 20, or 600 with --once."
)
@click.option("--once", is_flag=True, help="跑完一天即退出 One day, then exit.")
@port_option
@click.option("--seed", type=int, default=1, help="随机种子 Seed of the visitors.")
def demo(speed: float | None, once: bool, port: int, seed: int) -> None:
    """演示 A whole hall on this machine, with simulated visitors and clerks."""
    run(_demo(speed or (600 if once else 20), once, 0 if once else port, seed))


async def _demo(speed: float, once: bool, port: int, seed: int) -> None:
    """A day of the sample hall on a faster clock, then its assessment."""
    import displays.voice
    from callers.rehearsal import Rehearsal, fast_clock
    from floor.catalogue import load
    from floor.serving import beside, open_hall

    catalogue = load(HALL)
    clock = fast_clock(catalogue, now(), speed)
    log, wav = clear_demo()
    # Window 3 is left to whoever tries the clerk's terminal.
    staffed = tuple(w for w in catalogue.windows if once or w.id != "3")
    spoken: Counter[str] = Counter()
    at_work = open_hall(log, catalogue, "127.0.0.1", port, clock, rooms)
    async with at_work as (url, _):
        click.echo(DEMO_WORDS.format(url=url, speed=speed, wav=wav))
        voice = displays.voice.run(
            url,
            wav=wav,
            cache=DEMO / "cache",
            clock=clock,
            on_event=lambda said: spoken.update([said.event]),
        )
        crowd = Rehearsal(
            url, catalogue, clock, speed=speed, seed=seed, staffed=staffed
        )
        async with beside(voice):
            tally = await crowd.play()
        click.echo(assessed(log))
        wavs = len(list(wav.glob("*.wav")))
        done = {"day": tally.words(), "voice": spoken, "wav_files": wavs}
        click.echo(json.dumps(done, ensure_ascii=False))
        if not once:
            click.echo(f"已闭厅。考核 {url}/score  (Ctrl-C 结束 ends)")
            await asyncio.Event().wait()


DEMO_WORDS = """\
叫好 Jiaohao 演示大厅 demo hall, x{speed:g}

  大厅综合屏 hall screen   {url}/screens/hall
  取号机 kiosk             {url}/kiosk
  考核 assessment          {url}/score
  窗口终端 your own window .venv/bin/python main.py caller --window 3 --url {url}
  语音 voice               {wav}/*.wav
"""


def clear_demo() -> tuple[Path, Path]:
    """The demo's log and WAV folder, empty; only files of a former demo are removed."""
    wav = DEMO / "wav"
    wav.mkdir(parents=True, exist_ok=True)
    for old in (*DEMO.glob("events.db*"), *DEMO.glob("score.*"), *wav.iterdir()):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    return DEMO / "events.db", wav


def assessed(log: Path) -> str:
    """Write the demo's assessment as page and JSON; gives it as a table."""
    for form in ("html", "json"):
        text = _score(log, RULEBOOK, "", form, "zh")
        (DEMO / f"score.{form}").write_text(text, encoding="utf-8")
    return _score(log, RULEBOOK, "", "text", "zh")


def printed_docs() -> dict[Path, str]:
    """The pages of docs/ that are printed from the code, with their text."""
    from floor.glossary import glossary
    from scoring.printed import rulebook_page
    from scoring.rulebook import load

    return {
        HERE / "docs" / "glossary.md": glossary(),
        HERE / "docs" / "scoring.md": rulebook_page(load(RULEBOOK)),
    }


@main.command()
def docs() -> None:
    """重印文档 Print the pages of docs/ that come from the code."""
    for path, text in printed_docs().items():
        path.write_text(text, encoding="utf-8")


def run(job: "Coroutine[Any, Any, None]") -> None:
    """Run a job until it ends or Ctrl-C; say what went wrong in a sentence."""
    try:
        with_sentences(lambda: asyncio.run(job))
    except KeyboardInterrupt:
        click.echo()


if __name__ == "__main__":
    main()
