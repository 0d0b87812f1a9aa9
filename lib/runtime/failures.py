"""What ends a command from outside: full memory, lost processes, Ctrl-C and SIGTERM."""

import contextlib
import pickle
import re
import signal
import threading
from collections.abc import Iterator

import torch

from lib.messages import one_line

LESS = "lower TRAIN.batch_size, TEST.batch_size or DATASET.workers, or end other programs"
LOST = f"another process of the job was lost, as happens when memory is short: {LESS}"
_CLOSED = re.compile(r"Connection (closed|reset) by peer|Broken pipe|remote process has terminated", re.IGNORECASE)


class Terminated(KeyboardInterrupt):
    """SIGTERM, which batch systems send before they kill."""


class ProcessFailed(RuntimeError):
    """One of several processes failed: the text has its traceback.

    Attributes:
        line: what a user is told; empty when only the traceback tells.
    """

    def __init__(self, text: str, line: str):
        super().__init__(text)
        self.line = line


def explained(error: BaseException) -> str:
    """One line about an error that a user can mend; empty for all others."""
    text = one_line(error)
    if isinstance(error, ProcessFailed):
        return error.line
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in text:
        return f"not enough memory: {LESS} ({text[:300] or 'MemoryError'})"
    if isinstance(error, RuntimeError) and text.startswith("DataLoader worker"):
        return f"a loading process was lost, as happens when memory is short: {LESS} ({text[:300]})"
    if isinstance(error, RuntimeError) and _CLOSED.search(text):
        return LOST
    mendable = isinstance(error, (ValueError, OSError, OverflowError, pickle.UnpicklingError))
    return (text or type(error).__name__) if mendable else ""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM raises ``Terminated`` inside, so that files that are being written are removed."""

    def stop(*_):
        raise Terminated

    if threading.current_thread() is not threading.main_thread():  # which alone may say what signals do
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
