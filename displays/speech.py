"""The one process that owns the speech engine: `python -m displays.speech cmn 160`.

pyttsx3 is not safe in threads, loses errors, prints on stdout, and now and then ends
before its file is written; espeak may hang or crash. So it lives alone in this
process, which its parent (`displays.voice`) can kill and start again at any time.

One JSON object a line. First `{"engine", "voice", "rate"}` or `{"failed"}`; then for
each `{"text", "path"}` that comes in, `{"frames"}` of the WAV file written there, or
`{"error"}`. It ends when its stdin is closed, so that it never outlives its parent.
"""

import ctypes
import faulthandler
import json
import os
import re
import sys
import threading
import time
import wave
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# A sentence is some 40 characters, with its path well below this.
LINE_BYTES_MAX = 16_384
TEXT_MAX = 200
# A job takes 20 ms. The parent has limits of its own; these make sure that a process
# whose engine hangs is gone even when its parent is, too.
JOB_S_MAX = 5
START_S_MAX = 15
POLL_S = 0.002

#: A text for each voice whose phonemes prove that it is read in the right language.
PROOFS = {"cmn": "请号到窗口办理零幺二", "en-us": "please go to window one"}
UTF8 = 1  # espeakCHARS_UTF8


def main() -> None:
    voice, rate = sys.argv[1], int(sys.argv[2])
    # pyttsx3 prints on stdout, so the answers get a copy of it and it gets stderr.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(**words: object) -> None:
        print(json.dumps(words, ensure_ascii=False), file=answers, flush=True)

    faulthandler.dump_traceback_later(START_S_MAX, exit=True)
    try:
        engine = Engine(voice, rate)
        answer(engine=engine.prove(), voice=voice, rate=rate)
    except Exception as error:
        answer(failed=f"{type(error).__name__}: {error}")
        os._exit(1)
    faulthandler.cancel_dump_traceback_later()
    while line := sys.stdin.buffer.readline(LINE_BYTES_MAX):
        faulthandler.dump_traceback_later(JOB_S_MAX, exit=True)
        try:
            job = json.loads(line)
            answer(frames=engine.write(job["text"], job["path"]))
        except Exception as error:
            answer(error=f"{type(error).__name__}: {error}")
        faulthandler.cancel_dump_traceback_later()
    # espeak asserts when it is unloaded while its thread is still there.
    os._exit(0)


class Engine:
    """pyttsx3 with the library of the espeakng-loader wheel.

    Debian's own espeak-ng 1.51 reads Mandarin as English pinyin, 1.52 does not.
    """

    def __init__(self, voice: str, rate: int) -> None:
        self._voice, self._rate = voice, rate
        self._library, self._espeak = _load()
        import pyttsx3

        self._errors: list[str] = []
        self._finished = threading.Event()
        self._engine = pyttsx3.init("espeak")
        self._engine.connect("finished-utterance", self._on_finished)
        self._engine.connect("error", self._on_error)
        # These wait in pyttsx3's queue and come into force with the first job.
        self._engine.setProperty("voice", voice)
        self._engine.setProperty("rate", rate)

    def prove(self) -> str:
        """Speak once and look at how the voice reads; gives the engine's name.

        Raises:
            RuntimeError: it does not speak, or not this language.
        """
        proof = PROOFS[self._voice]
        with TemporaryDirectory() as folder:
            frames = self.write(proof, str(Path(folder) / "proof.wav"))
        if frames < 22_050:
            raise RuntimeError(f"{len(proof)} characters took only {frames} samples")
        read = self.phonemes(proof)
        if self._voice == "cmn":
            # Each character a syllable with its tone, none switched to English.
            tones = re.findall(r"\d{2,3}|i\.35|i\[51", read)
            right = "(en)" not in read and len(tones) == len(proof)
        else:
            right = "w'Indo" in read
        if not right:
            raise RuntimeError(f"voice {self._voice} reads {proof} as {read}")
        self._library.espeak_Info.restype = ctypes.c_char_p
        version = self._library.espeak_Info(None).decode()
        return f"pyttsx3 espeak-ng {version}"

    def write(self, text: str, path: str) -> int:
        """Write a text, spoken, as a WAV file; gives its length in samples.

        Raises:
            ValueError: the text cannot be spoken.
            OSError: there is no place for the file.
            RuntimeError: the engine failed.
        """
        if not text.strip() or len(text) > TEXT_MAX or not text.isprintable():
            raise ValueError(f"a text of {len(text)} characters cannot be spoken")
        # The engine would hang on a path where it cannot write.
        Path(path).write_bytes(b"")
        self._errors.clear()
        self._finished.clear()
        # runAndWait first cancels what it finds playing, and after that this job too.
        while self._espeak.IsPlaying():
            time.sleep(POLL_S)
        self._engine.save_to_file(text, path)
        self._engine.runAndWait()
        # It may return before espeak's own thread has written the file.
        self._finished.wait()
        if self._errors:
            raise RuntimeError(self._errors[0])
        with wave.open(path, "rb") as file:
            frames = file.getnframes()
        if not frames:
            raise RuntimeError("the engine wrote an empty file")
        return frames

    def phonemes(self, text: str) -> str:
        """How the engine reads a text, in espeak's own notation."""
        to_phonemes = self._library.espeak_TextToPhonemes
        to_phonemes.restype = ctypes.c_char_p
        rest = ctypes.c_char_p(text.encode())
        clauses = []
        while rest.value:
            clause = to_phonemes(ctypes.byref(rest), UTF8, 0)
            clauses.append((clause or b"").decode())
        return " ".join(clauses)

    def _on_finished(self, name: str | None, completed: bool) -> None:
        if completed:
            self._finished.set()

    def _on_error(self, name: str | None, exception: Exception) -> None:
        self._errors.append(str(exception))


def _load() -> tuple[ctypes.CDLL, Any]:
    """The wheel's library, and pyttsx3's view of it."""
    import espeakng_loader

    os.environ["ESPEAK_DATA_PATH"] = espeakng_loader.get_data_path()
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    # pyttsx3 asks for the library by the names it has on some systems and would take
    # an older one that is installed there; while it asks, the answer is ours.
    asked: Any = ctypes.cdll
    load = asked.LoadLibrary
    asked.LoadLibrary = lambda name: library
    try:
        from pyttsx3.drivers import _espeak
    finally:
        asked.LoadLibrary = load
    return library, _espeak


if __name__ == "__main__":
    main()
