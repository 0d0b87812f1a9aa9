"""Feeds bad inputs to the commands that read them, and says which get no good answer.

    python -m tests.support.bad_inputs FOLDER [--only ckpt] [--all]

FOLDER holds inputs by what they are: ``body`` (model files), ``ckpt``, ``img``, ``js`` (joint set files), ``json`` and
``npy`` (poses), ``yaml`` (settings). Inputs too large or too dull to keep are made on the spot
(``tests.support.made_inputs``). A good answer comes within ten seconds and 1.5 GB, is one line that names the file, or
is a success. Exit code 1 when an input gets none.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lib import ROOT
from tests.support.made_inputs import make_inputs

SECONDS = 10  # of computing; other programs on the machine do not count
_WAIT = 90  # seconds, for those that only wait
MEMORY = 1_500_000_000  # bytes
_LONGEST = 700  # characters of a message
_SHORT = "Unable to allocate", "MemoryError", "can't allocate", "not enough memory"


@dataclass(frozen=True)
class Answer:
    """What a command said to an input.

    Attributes:
        wrong: ``""`` for a good answer, or ``slow``, ``memory``, ``traceback``, ``long``, ``control characters``,
            ``no file name``.
        code: of the exit.
        line: the last that was printed.
    """

    wrong: str
    code: int
    line: str


def command_for(path: Path, output: Path) -> list[str]:
    """The command line that reads an input, by the folder that it is in."""
    beside = path.parent / "pose.npy"
    demo = ["demo/run.py", "--device", "cpu", "--output", output]
    pose = "--input_pose3d" if path.stem.startswith("v3d") else "--input_pose"
    train = ["main/train.py", "--gpu", "0", "--experiment", output, "--debug"]
    line = {
        "body": [*demo, "--body", path],
        "ckpt": [*demo, "--weights", path],
        "img": [*demo, "--input_pose", beside, "--input_img", path],
        "js": [*demo, "--joint_set", path, "--input_pose", beside],
        "json": [*demo, pose, path],
        "npy": [*demo, pose, path],
        "yaml": [*train, "--cfg", path],
    }[path.parent.name]
    return [sys.executable, *map(str, line)]


def ask(command: list[str], named: str) -> Answer:
    """Run a command under the limits and judge what it says.

    Args:
        command: to run from the repository's root.
        named: what an error must name.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=_WAIT, preexec_fn=_limit)
    except subprocess.TimeoutExpired:
        return Answer("slow", -1, "")
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
    return Answer(_wrong(done.returncode, text, lines[-1], named), done.returncode, lines[-1])


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _wrong(code: int, text: str, last: str, named: str) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return "slow"
    if code < 0 or any(word in text for word in _SHORT):
        return "memory"
    if "Traceback (most recent call last)" in text:
        return "traceback"
    if any(ord(letter) < 32 and letter not in "\n\r\t" for letter in text):
        return "control characters"
    if len(last) > _LONGEST:
        return "long"
    return "no file name" if code and named not in last else ""


def inputs_of(folder: Path) -> list[Path]:
    """The inputs of a folder; poses that only stand beside others are none, and ``many`` are good ones, only large."""
    found = (path for path in folder.glob("*/*") if path.parent.name != "many" and path.name != "pose.npy")
    return sorted(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="kind of input, or part of a name")
    parser.add_argument("--all", action="store_true", help="show the good answers too")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(args.jobs) as pool:
        made = make_inputs(Path(folder) / "made")
        paths = [
            path
            for path in (*inputs_of(args.folder), *inputs_of(made))
            if args.only in f"{path.parent.name}/{path.name}"
        ]
        outputs = (Path(folder) / f"output{number}" for number in range(len(paths)))
        answers = list(pool.map(lambda path, output: ask(command_for(path, output), path.stem), paths, outputs))
    for path, answer in zip(paths, answers):
        if answer.wrong or args.all:
            print(f"{answer.wrong or 'good':18} {path.parent.name}/{path.name}: {answer.line[:300]}")
    counts = Counter(answer.wrong or "good" for answer in answers)
    print(f"{len(paths)} inputs: " + ", ".join(f"{count} {wrong}" for wrong, count in counts.most_common()))
    return 1 if set(counts) - {"good"} else 0


if __name__ == "__main__":
    sys.exit(main())
