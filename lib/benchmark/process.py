"""Handle of a measured process."""

import json
import subprocess
import sys

from lib import ROOT
from lib.benchmark.allocator import environment


class Worker:
    """``lib.benchmark.worker`` in a process of its own; a context manager.

    Args:
        side: ``ours`` or ``plain``.
        column: allocator, see ``lib.benchmark.rows.COLUMNS``.
        threads: of arithmetic.
        device: where the networks are.
    """

    def __init__(self, side: str, column: str, threads: int, device: str = "cpu"):
        self.side = side
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lib.benchmark.worker", side, "--device", device],
            cwd=ROOT,
            env=environment(column, threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdin is not None  # both were asked for as pipes
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_) -> None:
        self._input.close()
        self._output.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def send(self, case: str, run: bool, arguments: dict) -> None:
        self._input.write(json.dumps({"case": case, "run": run, **arguments}) + "\n")
        self._input.flush()

    def receive(self) -> dict:
        """The next answer.

        Raises:
            RuntimeError: the process has ended.
        """
        line = self._output.readline()
        if not line:
            code = self._process.wait()
            hint = " (killed, probably for lack of memory)" if code == -9 else ""
            raise RuntimeError(
                f"the measured process of {self.side!r} ended with code {code}{hint}; "
                f"to see why: echo a command into python -m lib.benchmark.worker {self.side}"
            )
        return json.loads(line)

    def run(self, case: str, arguments: dict) -> dict:
        """One repeat of a case."""
        self.send(case, True, arguments)
        return self.receive()
