"""Runs a command and prints its seconds and its largest resident memory as JSON.

    python -S lib/benchmark/launcher.py COMMAND ARGUMENT ...

A process of its own, and a small one: to the system, a program's peak includes that of the process that starts it.
"""

import json
import resource
import subprocess
import sys
import time


def main() -> None:
    start = time.perf_counter()
    done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stderr.decode(errors="replace")[-2000:])
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit}))


if __name__ == "__main__":
    main()
