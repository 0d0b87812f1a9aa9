"""A quicker start and end of commands that live for a few seconds."""

import atexit
import contextlib
import gc
import os
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn


@contextlib.contextmanager
def imports_kept() -> Iterator[None]:
    """Spare what is imported inside from garbage collection, while it is imported and afterwards.

    The hundred thousands of objects that PyTorch's modules are made of stay until the end anyway. Searching them again
    and again while they come in takes a tenth of their import, and taking them apart at exit half a second.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def end(code: int) -> NoReturn:
    """Leave the program, without taking apart its hundred thousands of objects: the system takes memory back at once.

    With PyTorch imported that spares up to a third of a second. What is registered for the end is done, and what was
    printed is written out; where that fails, or other threads are at work, Python ends as ever.
    """
    with contextlib.suppress(OSError, ValueError):
        if threading.active_count() == 1:
            atexit._run_exitfuncs()
            for stream in filter(None, (sys.stdout, sys.stderr)):
                stream.flush()
            os._exit(code)
    sys.exit(code)
