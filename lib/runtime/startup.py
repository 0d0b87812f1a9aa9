"""Start and end of the demo's commands, which live for a few seconds: quick, and with errors in one line."""

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator

from lib.messages import one_line


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


def exit_code(command: Callable[[], object]) -> int:
    """Run a command without importing PyTorch for it: 0, 130 after Ctrl-C, or 2 with one line on stderr.

    With POSE2MESH_TRACEBACK in the environment errors are raised as they are.
    """
    try:
        command()
    except KeyboardInterrupt:
        print("\nStopped", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError, MemoryError, OverflowError) as error:
        if os.environ.get("POSE2MESH_TRACEBACK"):
            raise
        print(f"error: {one_line(error) or type(error).__name__}", file=sys.stderr)
        return 2
    return 0
