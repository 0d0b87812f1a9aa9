"""A quicker start and end of commands that live for a few seconds."""

import contextlib
import gc
from collections.abc import Iterator


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
