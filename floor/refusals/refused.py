"""How the hall says no: one class, one code and one sentence for each reason.

The docstring documents, `zh` and `en` are what a person reads, `code` is the class
name. A refusal changes nothing and is not an error: the caller gets the sentence.
"""


class Refused(Exception):
    """The hall said no; nothing changed."""

    zh = "不能这样操作"
    en = "That is not possible"
    #: HTTP status of the JSON door: 404 when the path names nothing we have.
    status = 409
    #: Name of the input at fault, when it is an input's fault.
    field = ""

    def __init__(self, **words: object) -> None:
        self.words = words
        super().__init__(self.en.format(**words))

    @property
    def code(self) -> str:
        return type(self).__name__

    @property
    def message(self) -> dict[str, str]:
        """The sentence in both languages."""
        return {
            "zh": self.zh.format(**self.words),
            "en": self.en.format(**self.words),
        }


class Unusable(ValueError):
    """A file, address or word from outside cannot be used; the sentence says why.

    Not a refusal of the hall: nothing was asked of it yet.
    """

    def __init__(self, zh: str, en: str) -> None:
        self.message = {"zh": zh, "en": en}
        super().__init__(f"{zh} / {en}")


class LogFailed(RuntimeError):
    """The log could not be written; whether rows became durable is to be looked up."""


class LogLost(LogFailed):
    """This process cannot speak for the log any more and must end.

    The disk failed, so that memory and disk may differ; or another process has taken
    the hall over.
    """

    def __init__(self, zh: str, en: str) -> None:
        self.message = {"zh": zh, "en": en}
        super().__init__(f"{zh} / {en}")
