"""Gives generated malformed inputs to every reader and says which get no good answer.

    python -m tests.support.malformed                             # 1,000 inputs; figures of docs/reliability.md
    python -m tests.support.malformed --seed 3 --only bodies --all
    python -m tests.support.malformed --seed 3 --number 417       # one of them again, with all that it prints

An input depends on seed and number alone. A good answer comes within ten seconds of a core and 1.5 GB, is one line that
names the file, or is a success with finite numbers. Exit code 1 when an input gets none.
"""

import argparse
import importlib
import os
import random
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

from tests.support.malformed.cases import CASES, Case, place
from tests.support.malformed.process import Answer, answers
from tests.support.malformed.sound import KINDS

# what commands import, so that each need not import it again
_LIGHT = ("lib.demo.command", "lib.demo.picture_files", "data.convert.cmu_bvh")
_HEAVY = ("lib.core.commands", "lib.demo.pictures", "lib.demo.sequence", "lib.onnx.onnx_export", "lib.doctor.files",
          "lib.mesh.regressor_fit", "data.checks.sheet", "data.convert.pw3d", "matplotlib.pyplot")  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--number", type=int, help="only this one")
    parser.add_argument("--only", default="", help="part of the name of a case")
    parser.add_argument("--light", action="store_true", help="only what needs no PyTorch")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--all", action="store_true", help="show the good answers too")
    args = parser.parse_args()
    cases = [case for case in CASES if args.only in case.name and (case.light or not args.light)]
    numbers = range(args.count) if args.number is None else [args.number]
    with tempfile.TemporaryDirectory() as folder:
        return _try(args, cases, numbers, Path(folder).resolve())


def _try(args: argparse.Namespace, cases: list[Case], numbers, folder: Path) -> int:
    start = time.monotonic()
    chosen = {number: cases[number % len(cases)] for number in numbers}
    _make_sound(folder / "sound", {case.kind for case in chosen.values()}, args.light)
    for module in _LIGHT if args.light else _LIGHT + _HEAVY:
        importlib.import_module(module)
    said: dict[int, tuple[list, str]] = {}

    def inputs() -> Iterator[tuple[int, list, Path, Path]]:
        for number in numbers:
            draw = random.Random(f"{args.seed}/{number}")
            here = folder / f"{number}"
            command, file, done = place(chosen[number], folder / "sound", here, draw)
            said[number] = command, f"{file.name!r:.60} {done:.160}"
            yield number, command, here, file

    made = time.monotonic() - start
    results = {}
    for number, answer in answers(inputs(), args.jobs):
        results[number] = answer
        if answer.wrong or args.all or args.number is not None:
            kind = answer.wrong or ("refused" if answer.code else "accepted")
            print(
                ascii(f"{kind:18} {number} {chosen[number].name}: {said[number][1]} -> {answer.line[:400]}")[1:-1],
                flush=True,
            )
        if args.number is not None:
            print(shlex.join(map(str, said[number][0])), answer.text, sep="\n")
    _report(results, chosen, made, time.monotonic() - start)
    return 1 if any(answer.wrong for answer in results.values()) else 0


def _make_sound(folder: Path, kinds: set[str], light: bool) -> None:
    """Write the sound inputs, in a fork: threads that this starts would be missing in the forks to come."""
    kinds = kinds | (set() if light else {"weights", "settings"})  # which others use
    child = os.fork()
    if child == 0:
        code = 1
        try:
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            for kind in sorted(kinds):
                (folder / kind).mkdir(parents=True)
                KINDS[kind](folder / kind)
            code = 0
        finally:
            if code:
                import traceback

                traceback.print_exc()
            os._exit(code)
    if os.waitpid(child, 0)[1]:
        sys.exit("the sound inputs could not be made")


def _report(results: dict[int, Answer], chosen: dict[int, Case], made: float, total: float) -> None:
    counts = Counter(answer.wrong or ("refused" if answer.code else "accepted") for answer in results.values())
    slowest = max(results, key=lambda number: results[number].seconds)
    largest = max(results, key=lambda number: results[number].growth)
    print(f"{len(results)} inputs in {total:.0f} s ({made:.0f} s to begin): ", end="")
    print(", ".join(f"{count} {kind}" for kind, count in counts.most_common()))
    print(f"{sum(answer.seconds for answer in results.values()):.0f} s of a core, ", end="")
    print(f"slowest {results[slowest].seconds:.1f} s ({slowest} {chosen[slowest].name}), ", end="")
    print(f"largest {results[largest].growth / 1e6:.0f} MB more ({largest} {chosen[largest].name})")


if __name__ == "__main__":
    sys.exit(main())
