import subprocess
import sys

import pytest

from lib import ROOT

_PROGRAM = """
import atexit, threading, time
from lib.runtime.startup import end

class Kept:
    def __del__(self):
        print("taken apart")

kept = Kept()
atexit.register(print, "at exit")
print("printed")
{thread}
end(3)
"""


@pytest.mark.parametrize(
    ("thread", "lines"),
    [
        ("", "printed\nat exit\n"),
        (
            "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()",
            "printed\nthread\nat exit\ntaken apart\n",
        ),
    ],
)
def test_end_leaves_nothing_undone(thread, lines):
    command = [sys.executable, "-c", _PROGRAM.format(thread=thread)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, lines, "")
