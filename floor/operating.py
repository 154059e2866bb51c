"""The operator's commands: all that is done with a log, and needs no other room.

main.py adds them to its own. Each imports what it needs when it runs.
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from floor.log import Place
    from floor.why import Lang

T = TypeVar("T")

HERE = Path(__file__).parent.parent
FILE = click.Path(path_type=Path, dir_okay=False)
HALL = HERE / "floor" / "hall.toml"
PORT = 8700
URL = f"http://127.0.0.1:{PORT}"


def named_place(_: click.Context, __: click.Parameter, words: str) -> "Place":
    """The log that an option names; it may hold a password and is not repeated."""
    from floor.log import place_of

    return with_sentences(lambda: place_of(words))


log_option = click.option(
    "--log",
    default=str(HERE / "events.db"),
    envvar="JIAOHAO_LOG",
    callback=named_place,
    help="日志 The log: a file, made on the first run, or postgresql://…",
)

url_option = click.option(
    "--url", default=URL, envvar="JIAOHAO_URL", help="服务地址 Where the hall serves."
)
lang_option = click.option(
    "--lang",
    type=click.Choice(["zh", "en"]),
    default="zh",
    envvar="JIAOHAO_LANG",
    help="语言 Language.",
)
signing_key_option = click.option(
    "--signing-key",
    type=FILE,
    envvar="JIAOHAO_SIGNING_KEY",
    help="签名密钥，宜另存他处 Signing key; best kept away from the log.",
)


@click.command()
@log_option
def migrate(log: "Place") -> None:
    """建表 Make the tables of a log, before the first start on PostgreSQL."""
    from floor.log import migrate

    with_sentences(lambda: migrate(log))
    click.echo(f"已就绪 Ready  {log.name}")


@click.command()
@log_option
@click.option("--since", default=0, help="从第几条之后 After this position.")
@click.option("--hall", help="只看一个大厅 Only the hall of this id.")
def tail(log: "Place", since: int, hall: str | None) -> None:
    """跟随日志 Print each fact as a line of JSON, past ones first, until stopped."""
    from floor.api import entry_json
    from floor.log import tail

    def follow() -> None:
        for entry in tail(log, since=since, hall=hall):
            click.echo(entry_json(entry))

    with suppress(KeyboardInterrupt):
        with_sentences(follow)


@click.command("import")
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


@click.command()
@log_option
def digest(log: "Place") -> None:
    """状态摘要 SHA-256 of the state at the end of each business day."""
    from floor.recording import digests

    for stream, sha256 in with_sentences(lambda: digests(log)):
        click.echo(f"{sha256}  {stream}")


@click.command()
@log_option
def check(log: "Place") -> None:
    """核对 Whether a log keeps the promises of a hall; exits with 1 if not."""
    from floor.checking.printed import show

    sys.exit(with_sentences(lambda: show(log, click.echo)))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@log_option
def backup(file: Path, log: "Place") -> None:
    """备份 Copy the log into FILE, also while the hall works, and check the copy."""
    from floor.backup import back_up

    click.echo(with_sentences(lambda: back_up(in_file(log), file)).words())


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@log_option
def restore(file: Path, log: "Place") -> None:
    """恢复 Make the log again out of a backup, where there is none."""
    from floor.backup import restore

    click.echo(with_sentences(lambda: restore(file, in_file(log))).words())


@click.command()
@log_option
@signing_key_option
@click.option("--stream", default="", help="流 Stream; the newest one by default.")
def checkpoint(log: "Place", signing_key: Path | None, stream: str) -> None:
    """检查点 A stream's signed size and root, to be kept where the log is not."""
    from floor.proving import proof
    from floor.proving.checkpoint import SigningKey, hall_of

    def signed() -> tuple[str, str]:
        stated = proof.checkpoint(log, stream)
        key = SigningKey.load(signing_key or signing_key_of(log))
        return key.sign(stated), key.public(hall_of(stated.origin)).vkey

    note, vkey = with_sentences(signed)
    click.echo(note, nl=False)
    click.echo(f"验证公钥 vkey  {vkey}", err=True)


@click.command()
@log_option
@signing_key_option
@click.option("--checkpoint", "kept", type=FILE, multiple=True, help="检查点 Kept one.")
@click.option("--key", multiple=True, help="验证公钥 Verification key (vkey).")
@click.option("--against", type=FILE, help="副本 A copy of the log.")
@click.option("--keep-leaves", is_flag=True, help="补齐叶表 Make missing leaf lists.")
def verify(
    log: "Place",
    signing_key: Path | None,
    kept: tuple[Path, ...],
    key: tuple[str, ...],
    against: Path | None,
    keep_leaves: bool,
) -> None:
    """核查 Whether the log is what was written; names the fact that is not."""
    from floor.proving import proof

    own = signing_key or signing_key_of(log)
    report = with_sentences(
        lambda: proof.inspect(log, kept, key, signing_key=own, against=against)
    )
    if report.sound and keep_leaves:
        report.unlisted -= with_sentences(lambda: proof.keep_leaves(log))
    click.echo(report.text)
    sys.exit(0 if report.sound else 1)


@click.command()
@log_option
@click.option("--position", type=click.IntRange(1), required=True, help="位置 Where.")
@click.option("--stream", default="", help="流 Stream, where the log has many halls.")
def prove(log: "Place", position: int, stream: str) -> None:
    """证明 One fact's proof under the newest seal of its stream, as JSON."""
    from msgspec.structs import asdict

    from floor.proving import proof

    proven = with_sentences(lambda: proof.prove(log, position, stream))
    click.echo(json.dumps(asdict(proven), ensure_ascii=False, indent=1))


@click.command()
@click.option("--hall", type=FILE, default=HALL, help="目录 The new catalogue.")
@url_option
def publish(hall: Path, url: str) -> None:
    """目录发布 Put a catalogue into force in a hall that is at work."""
    from floor import publishing

    name, position = with_sentences(lambda: publishing.publish(hall, url))
    click.echo(f"{name} 目录已生效 The catalogue is in force  #{position}")


@click.command()
@click.argument("ticket")
@log_option
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="营业日 Business day.")
@click.option(
    "--hall", default="", help="大厅 Id of the hall, where there are several."
)
@lang_option
def why(
    ticket: str, log: "Place", day: datetime | None, hall: str, lang: "Lang"
) -> None:
    """为什么先叫别人 Who was called before a ticket, and why."""
    from floor.recounted import recount

    date = day.date() if day else None
    for line in with_sentences(lambda: recount(log, hall, date, ticket, lang)):
        click.echo(line)


COMMANDS = (
    publish,
    why,
    migrate,
    tail,
    import_,
    digest,
    check,
    backup,
    restore,
    checkpoint,
    verify,
    prove,
)


def in_file(log: "Place") -> Path:
    """The log's file; a database has its own tools for that.

    Raises:
        Unusable: it is a database.
    """
    from floor.refusals import Unusable

    if not isinstance(log, Path):
        raise Unusable(
            "数据库请用 pg_dump 备份和恢复",
            "A database is backed up and restored with pg_dump",
        )
    return log


def signing_key_of(log: "Place") -> Path:
    """Where a hall's signing key is when nothing else is said."""
    from floor.storing.storage import beside

    return beside(log).with_name(beside(log).name + ".signing.pem")


def with_sentences(job: Callable[[], T]) -> T:
    """Do a job; what a person can mend is said in a sentence, not in a trace."""
    from floor.refusals import LogFailed, LogLost, Unusable

    try:
        return job()
    except LogLost as error:
        click.echo(str(error), err=True)
        # At once: a tidy end would let SQLite move pages that are not to be trusted.
        os._exit(3)
    except BrokenPipeError:  # Whoever read along has heard enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Unusable as error:
        fail(error.message["zh"], error.message["en"])
    except (LogFailed, OSError) as error:
        fail(f"运行失败：{error}", f"It failed: {error}")


def fail(zh: str, en: str) -> NoReturn:
    """Say why in both languages and exit with 2."""
    click.echo(f"{zh} / {en}" if en else zh, err=True)
    sys.exit(2)
