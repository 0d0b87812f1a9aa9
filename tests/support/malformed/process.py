"""Runs commands in forks of one process that has imported them, and judges what they say."""

import contextlib
import ctypes
import faulthandler
import os
import re
import resource
import runpy
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib import ROOT

SECONDS, WAIT = 10, 120  # of computing; of waiting, which other programs make longer
MEMORY = 1_500_000_000  # bytes
LONGEST = 700  # characters of a line
NONSENSE = 70  # exit code of a command whose results are no numbers
_SHORT = "Unable to allocate", "MemoryError", "can't allocate", "not enough memory", "bad_alloc", "Insufficient memory"


@dataclass(frozen=True)
class Answer:
    """What a command said to an input.

    Attributes:
        wrong: ``""``, or what is wrong with it.
        code: of the exit; negative: the signal.
        line: the last that was printed.
        seconds: of a core.
        growth: bytes by which the process grew.
        text: all that was printed.
    """

    wrong: str
    code: int
    line: str
    seconds: float
    growth: int
    text: str


def started(command: list, folder: Path) -> int:
    """Run a script in a fork; its process number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setpgid(0, 0)
        _limit()
        with open(folder / "printed", "wb", buffering=0) as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, errors="backslashreplace") for number in (1, 2))
        faulthandler.disable()
        code = _run(list(map(os.fsencode, map(str, command))), folder)
    except BaseException:
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    finally:
        os._exit(code)


def _run(command: list[bytes], folder: Path) -> int:
    """The exit code of a script, ``NONSENSE`` where it wrote numbers that are none."""
    os.chdir(ROOT)
    script, *arguments = map(os.fsdecode, command)
    sys.argv = [script, *arguments]
    _only_reading(script, "--resume_training" in arguments)
    if script.startswith("demo"):
        sys.argv += ["--output", str(folder / "output")]
    try:
        runpy.run_path(str(ROOT / script), run_name="__main__")
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            return 1
        if stop.code:
            return int(stop.code)
    except BaseException:
        traceback.print_exc()
        return 1
    for path in (folder / "output").rglob("*.np[yz]"):
        loaded = np.load(path)
        for name, array in loaded.items() if path.suffix == ".npz" else [("", loaded)]:
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                print(f"{path.name}: {name} holds NaN or infinite numbers", file=sys.stderr)
                return NONSENSE
    return 0


def _only_reading(script: str, resumed: bool) -> None:
    """Trainings stop after the first batches, exports before the packages that they need."""
    if script == "main/train.py" and not resumed:
        from lib.core.base import Trainer

        Trainer.fit = _look_at_batches
    if script == "main/doctor.py":  # packages are no inputs
        from lib.doctor import packages

        packages.packages = packages.gpu = packages.opengl = lambda *_: iter(())
    if script == "main/export.py":
        import lib.onnx.onnx_export as onnx_export
        import lib.runtime.optional as optional

        optional.optional = lambda *_, **__: None
        onnx_export.export_onnx = lambda trained, path: Path(__file__)


def _look_at_batches(trainer, run) -> None:
    import torch

    for loader in (trainer.loader, trainer.tester.loader):
        batch = next(iter(loader.epoch(1)))
        for part in (batch.inputs, batch.targets):
            for name, tensor in part.items():
                if not torch.isfinite(tensor).all():
                    print(f"{name} of a batch holds NaN or infinite numbers", file=sys.stderr)
                    sys.exit(NONSENSE)


def _data_in_use() -> int:
    """Bytes of this process's memory that count towards its limit of data."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmData"))


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    most = MEMORY + _data_in_use()  # PyTorch's own gigabyte is no reading
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.geteuid() == 0:  # who may read every file
        libc = ctypes.CDLL(None)
        head = (ctypes.c_uint32 * 2)(0x20080522, 0)
        data = (ctypes.c_uint32 * 6)()
        libc.capget(head, data)
        data[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.capset(head, data)


def answers(inputs: Iterator[tuple[int, list, Path, Path]], jobs: int) -> Iterator[tuple[int, Answer]]:
    """Run inputs, some at a time, each in a fork.

    Args:
        inputs: number, script and arguments, folder and damaged file of each.
        jobs: at the same time.

    Yields:
        number and answer, in the order in which they end.
    """
    running: dict[int, tuple[int, Path, Path, float]] = {}
    waiting, base = iter(inputs), _resident()
    more = True
    while more or running:
        while more and len(running) < jobs:
            if (entry := next(waiting, None)) is None:
                more = False
                break
            number, command, folder, file = entry
            running[started(command, folder)] = (number, folder, file, time.monotonic())
        for child in list(running):
            done, status, usage = os.wait4(child, os.WNOHANG)
            number, folder, file, start = running[child]
            late = time.monotonic() - start > WAIT
            if not done and late:
                os.kill(child, signal.SIGKILL)
                done, status, usage = os.wait4(child, 0)
            if done:
                del running[child]
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child, signal.SIGKILL)  # what it has started
                yield number, _answer(status, usage, folder, file, base, late)
                shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.002)


def _answer(status: int, usage, folder: Path, file: Path, base: int, late: bool) -> Answer:
    code = os.waitstatus_to_exitcode(status)
    text = (folder / "printed").read_bytes().decode("utf-8", "replace") if (folder / "printed").is_file() else ""
    lines = [line for line in re.split(r"[\n\r]", text) if line.strip()]
    seconds, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    wrong = "slow" if late or seconds > SECONDS else "memory" if peak > MEMORY else _wrong(code, text, lines, file)
    return Answer(wrong, code, lines[-1] if lines else "", seconds, max(0, peak - base), text)


def _wrong(code: int, text: str, lines: list[str], file: Path) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return "slow"
    if code < 0 or any(word in text for word in _SHORT):
        return "memory" if code >= 0 else "crash"
    if "Traceback (most recent call last)" in text:
        return "traceback"
    if any(not (letter.isprintable() or letter in "\n\r\t") for letter in text):
        return "control characters"
    if code == NONSENSE:
        return "nonsense"
    if lines and max(map(len, lines)) > LONGEST:
        return "long"
    return "" if not code or names(file, lines) else "no file name"


def names(file: Path, lines: list[str]) -> bool:
    """Whether a failed command names the file: in its last line, or in a line of findings."""
    wanted = [part for part in re.split(r"[^\w.]+", file.name.removesuffix(file.suffix)) if len(part) > 1]
    wanted = wanted or [file.suffix or file.name]
    said = [line for line in lines if line.startswith("FAIL")] or lines[-1:]
    if any(re.match(r"FAIL +\w+ \w+: (?!annotations|files)", line) for line in said):
        return True  # data/verify.py found numbers that do not belong together, in whichever file
    if file.parent.name == "shared":  # the doctor names a run's folder
        wanted = ["shared"]
    if any("no sample is left" in line for line in said):
        return True  # files that belong together, each of them sound
    if any(f"{file.parent.name} has no image" in line for line in said):
        return True  # it has another name now, so the one that is looked for is missing
    return any(all(part[:60] in line for part in wanted) for line in said)


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0
