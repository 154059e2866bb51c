"""Sending a catalogue to a hall that is at work (目录发布)."""

from pathlib import Path

import httpx

from floor import catalogue
from floor.catalogue import FILE
from floor.refusals import Unusable

ANSWER_S_MAX = 30.0  # A large catalogue is checked in milliseconds; a busy disk waits.


def publish(path: Path, url: str) -> tuple[str, int]:
    """Put a catalogue into force at once.

    The file is checked here first, since what is wrong with it has a place in it.

    Returns:
        the name of the hall, and the position of the fact.

    Raises:
        BadCatalogue: the file cannot be used; nothing was sent.
        Unusable: the hall cannot be reached, or it said no, with its sentence.
    """
    checked = catalogue.load(path)
    table = FILE.table(FILE.read(path))
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}/api/hall/catalogue",
            json={"catalogue": table},
            timeout=ANSWER_S_MAX,
            trust_env=False,  # A hall is reached directly, never by a proxy.
        )
        said = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise Unusable(
            f"连不上大厅 {url}：{error}", f"The hall {url} cannot be reached: {error}"
        ) from None
    except ValueError:
        raise Unusable(
            f"{url} 不是叫好的大厅", f"{url} is no hall of this system"
        ) from None
    if answer.is_success:
        return checked.name, int(said["position"])
    raise Unusable(said["message"]["zh"], said["message"]["en"])
