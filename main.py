"""叫好 Jiaohao: the front door. One command for each job.

The only file that knows all rooms, and the only one that reads the clock. Each command
imports what it needs when it runs, so that a clerk's terminal starts at once.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from floor.door import Floor
    from floor.facts import Entry
    from scoring.report import Lang

T = TypeVar("T")

HERE = Path(__file__).parent
HALL = HERE / "floor" / "hall.toml"
RULEBOOK = HERE / "scoring" / "rulebook.toml"
DEMO = HERE / "demo"
PORT = 8700
FORMS = "text", "json", "html"
URL = f"http://127.0.0.1:{PORT}"

FILE = click.Path(path_type=Path, dir_okay=False)
log_option = click.option(
    "--log",
    type=FILE,
    default=HERE / "events.db",
    envvar="JIAOHAO_LOG",
    help="日志文件 The log; made on the first run.",
)
hall_option = click.option(
    "--hall", type=FILE, default=HALL, help="目录文件 The hall's catalogue."
)
url_option = click.option(
    "--url", default=URL, envvar="JIAOHAO_URL", help="服务地址 Where the hall serves."
)
port_option = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    envvar="JIAOHAO_PORT",
    help="端口 Port; 0 takes a free one.",
)
lang_option = click.option(
    "--lang",
    type=click.Choice(["zh", "en"]),
    default="zh",
    envvar="JIAOHAO_LANG",
    help="语言 Language.",
)


def now() -> datetime:
    """The one clock of the house, aware UTC."""
    return datetime.now(UTC)  # noqa: TID251


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """叫好 Jiaohao: 排队叫号与窗口考核 Queue calling and window assessment."""


@main.command()
@log_option
@hall_option
@click.option("--host", default="127.0.0.1", help="监听地址 Address to listen on.")
@port_option
@click.option("--dev", is_flag=True, help="免登录，仅限本机 No sign-in, loopback only.")
def serve(log: Path, hall: Path, host: str, port: int, dev: bool) -> None:
    """开厅 Serve the hall on one port: pages, screens, terminals, API."""
    from floor.door import is_loopback

    if not dev:
        fail(
            "登录功能尚未提供，请用 --dev 在本机运行",
            "Sign-in is not there yet; run with --dev on this machine",
        )
    if not is_loopback(host):
        fail(
            f"--dev 免登录，只能监听本机地址，不能是 {host}",
            f"--dev gives all rights without sign-in and listens on loopback only, "
            f"not on {host}",
        )
    run(_serve(log, hall, host, port))


async def _serve(log: Path, hall: Path, host: str, port: int) -> None:
    async with open_hall(log, hall, host, port, now) as url:
        click.echo(f"叫好 Jiaohao  {url}/  (Ctrl-C 停止 stops)")
        await asyncio.Event().wait()


@asynccontextmanager
async def open_hall(
    log: Path, hall: Path, host: str, port: int, clock: Callable[[], datetime]
) -> AsyncIterator[str]:
    """A hall at work: log, writer, feed and door; gives its URL."""
    import callers.server
    from floor import door
    from floor.catalogue import load
    from floor.follow import opened
    from floor.log import read
    from floor.tokens import load_key

    catalogue = load(hall)
    with closing(door.listen(host, port)) as listening:
        async with opened(log, catalogue, clock()) as (writer, feed):
            key = load_key(log.with_name(log.name + ".key"))
            floor = door.Floor(feed, writer, clock, door.DevGate(), key)
            routes = [*shown(floor, lambda: read(log)), *callers.server.routes(floor)]
            app = door.application(floor, routes)
            async with door.running(app, listening) as url:
                yield url


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
@click.option("--format", "form", type=click.Choice(FORMS), default="text")
@lang_option
def score(log: Path, rulebook: Path, as_of: str, form: str, lang: "Lang") -> None:
    """千分制考核 The 1000-point assessment of each window, with its evidence."""
    click.echo(with_sentences(lambda: _score(log, rulebook, as_of, form, lang)))


def _score(log: Path, rulebook: Path, as_of: str, form: str, lang: "Lang") -> str:
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


@main.command("import")
@click.argument("file", type=FILE)
@click.option("--map", "map_", type=click.Path(path_type=Path), required=True)
@click.option("--log", type=click.Path(path_type=Path), required=True)
def import_(file: Path, map_: Path, log: Path) -> None:
    """导入历史记录 Turn a CSV of tickets into a log, through the real rules."""
    from msgspec.structs import asdict

    from floor.intake.maps import load
    from floor.intake.tickets import import_tickets

    done = with_sentences(lambda: import_tickets(file, load(map_), log))
    click.echo(json.dumps(asdict(done), ensure_ascii=False))


@main.command()
@log_option
@click.option("--speed", type=click.FloatRange(0.1, 100_000), default=60.0)
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="营业日 Business day.")
@port_option
def replay(log: Path, speed: float, day: datetime | None, port: int) -> None:
    """回放 Play a recorded day to screens and voice."""
    run(_replay(log, speed, day.date() if day else None, port))


async def _replay(log: Path, speed: float, day: date | None, port: int) -> None:
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
@log_option
def digest(log: Path) -> None:
    """状态摘要 SHA-256 of the state at the end of each business day."""
    from floor.recording import digests

    for stream, sha256 in with_sentences(lambda: digests(log)):
        click.echo(f"{sha256}  {stream}")


@main.command()
@log_option
def check(log: Path) -> None:
    """核对 Whether a log keeps the promises of a hall; exits with 1 if not."""
    from floor.checking.printed import show

    sys.exit(with_sentences(lambda: show(log, click.echo)))


@main.command()
@click.option("--speed", type=click.FloatRange(1, 2_000), help="倍速 20; --once 600.")
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

    catalogue = load(HALL)
    clock = fast_clock(catalogue, now(), speed)
    log, wav = clear_demo()
    # Window 3 is left to whoever tries the clerk's terminal.
    staffed = tuple(w for w in catalogue.windows if once or w.id != "3")
    spoken: Counter[str] = Counter()
    async with open_hall(log, HALL, "127.0.0.1", port, clock) as url:
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
        old.unlink()
    return DEMO / "events.db", wav


def assessed(log: Path) -> str:
    """Write the demo's assessment as page and JSON; gives it as a table."""
    for form in ("html", "json"):
        text = _score(log, RULEBOOK, "", form, "zh")
        (DEMO / f"score.{form}").write_text(text, encoding="utf-8")
    return _score(log, RULEBOOK, "", "text", "zh")


@asynccontextmanager
async def beside(job: "Coroutine[Any, Any, None]") -> AsyncIterator[None]:
    """Let a follower run beside the block, and end it with the block."""
    task = asyncio.create_task(job)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


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


def with_sentences(job: Callable[[], T]) -> T:
    """Do a job; what a person can mend is said in a sentence, not in a trace."""
    from floor.refusals import LogFailed, Unusable

    try:
        return job()
    except Unusable as error:
        fail(error.message["zh"], error.message["en"])
    except (LogFailed, OSError) as error:
        fail(f"运行失败：{error}", f"It failed: {error}")


def fail(zh: str, en: str) -> NoReturn:
    """Say why in both languages and exit with 2."""
    click.echo(f"{zh} / {en}" if en else zh, err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
