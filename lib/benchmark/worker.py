"""A measured process: reads one command per line, does it, answers with one line of JSON.

    python -m lib.benchmark.worker ours --device cpu

Commands are JSON objects ``{"case": name, "run": bool, ...arguments}``; without ``run`` the case is only prepared. The
answer holds ``seconds``, ``items``, ``check`` (numbers that both sides must agree on), ``peak`` (bytes, of the GPU's
memory on a GPU) and ``faults``.
"""

import argparse
import json
import os
import sys
import time

import torch

from lib.benchmark.allocator import page_faults, peak_memory, reset_peak, synchronise
from lib.benchmark.cases import CASES
from lib.benchmark.growth.cases import GROWTH_CASES
from lib.runtime.memory import keep_freed_memory


def serve(side: str, commands, answers, device: str = "cpu") -> None:
    """Answer commands until there are no more."""
    known, prepared = {**CASES, **GROWTH_CASES}, {}
    for line in commands:
        arguments = json.loads(line)
        name, run = arguments.pop("case"), arguments.pop("run")
        if name not in prepared:
            prepared[name] = known[name](side, device)
        answer = {}
        if run:
            reset_peak(device)
            synchronise(device)
            faults, start = page_faults(), time.perf_counter()
            items, check, *others = prepared[name](**arguments)
            synchronise(device)
            seconds = time.perf_counter() - start
            answer = {"seconds": seconds, "items": items, "check": [float(value) for value in check]}
            answer |= {"peak": peak_memory(device), "faults": page_faults() - faults}
            for measured in others:  # of a program that the case starts
                answer |= measured
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measured process of main/benchmark.py")
    parser.add_argument("side", choices=("ours", "plain"))
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    # answers have a channel of their own: what the measured code prints goes to stderr
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if args.side == "ours":
        keep_freed_memory()  # as the commands do at start-up
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    serve(args.side, sys.stdin, answers, args.device)


if __name__ == "__main__":
    main()
