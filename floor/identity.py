"""What somebody shows to be known by: an identity document's number, or a phone.

It is read, hashed (`floor.tokens.person_of`) and forgotten: no log, answer or message
holds it.
"""

import re
import unicodedata

from floor import refusals

# With room for the blanks and dashes that people and card readers put in.
IDENTITY_CHARS_MAX = 60
#: The same as a pattern of what may be sent, for the door's description of itself.
IDENTITY_SENT = r"^[\s()+.-]*([0-9A-Za-z][\s()+.-]*){6,30}$"
IDENTITY = re.compile(r"[0-9A-Z]{6,30}")
MOBILE_ABROAD = re.compile(r"(?:00)?86(1[0-9]{10})")


def cleaned(identity: object) -> str:
    """An identity number or phone as it always reads, however it was typed.

    Raises:
        BadInput: it cannot be one; the sentence does not repeat it.
    """
    if not isinstance(identity, str):
        raise refusals.BadInput(name="identity", why="not text", why_zh="应为文字")
    text = unicodedata.normalize("NFKC", identity[: IDENTITY_CHARS_MAX + 1]).upper()
    bare = re.sub(r"[\s()+.-]", "", text)
    if len(identity) > IDENTITY_CHARS_MAX or not IDENTITY.fullmatch(bare):
        raise refusals.BadInput(
            name="identity",
            why="not an identity number or phone",
            why_zh="应为证件号码或手机号",
        )
    mobile = MOBILE_ABROAD.fullmatch(bare)
    return mobile[1] if mobile else bare
