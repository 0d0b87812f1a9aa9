"""The project's commands in one process, under torchrun, and on two nodes that are simulated on this machine."""

import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lib import ROOT

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
OURS = re.compile(r"^(error: |stopped by ).*|^Traceback.*\n(?=.*/main/)", re.MULTILINE)


@dataclass
class Job:
    """A finished command: exit codes of its launchers, seconds, what they and their processes printed."""

    codes: list[int]
    seconds: float
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        """What our processes say about a failure."""
        return [found.group() for found in OURS.finditer(self.errors)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def commands(kind: str, script: str, arguments: list) -> list[list[str]]:
    """Commands of a job: ``1`` plain, ``N`` torchrun with N processes, ``nodes`` two of one process each."""
    given = [f"main/{script}.py", "--gpu", "", *map(str, arguments)]
    if kind == "1":
        return [[sys.executable, *given]]
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    if kind != "nodes":
        return [[*torchrun, "--standalone", "--nproc_per_node", kind, *given]]
    meet = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--rdzv-id", "trial"]
    return [[*torchrun, "--nnodes", "2", "--nproc_per_node", "1", *meet, *given]] * 2


def start(kind: str, script: str, arguments: list, folder: Path) -> list[subprocess.Popen]:
    folder.mkdir(parents=True, exist_ok=True)
    started = []
    for number, command in enumerate(commands(kind, script, arguments)):
        with open(folder / f"out{number}", "w") as out, open(folder / f"err{number}", "w") as err:
            started.append(subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=out, stderr=err))
    return started


def finish(processes: list[subprocess.Popen], folder: Path, since: float) -> Job:
    codes = [process.wait(timeout=600) for process in processes]
    seconds = time.monotonic() - since
    texts = ["".join(path.read_text() for path in sorted(folder.glob(f"{name}?"))) for name in ("out", "err")]
    return Job(codes, seconds, *texts)


def run(kind: str, script: str, arguments: list, experiment: Path) -> Job:
    folder, since = experiment.with_name(f"{experiment.name}_log"), time.monotonic()
    given = [*arguments, "--experiment", experiment]
    return finish(start(kind, script, given, folder), folder, since)


def children(pid: int) -> list[int]:
    """Child processes that are torchrun's workers, in the order of their start."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if "main/" in Path(f"/proc/{child}/cmdline").read_text()]
