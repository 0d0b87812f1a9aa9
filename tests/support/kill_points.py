"""Kill a tiny training before each of its changes to the disk; every time, resuming must end as if nothing had been.

    python -m tests.support.kill_points                     # all points of both stages; figures of docs/reliability.md
    python -m tests.support.kill_points --twice             # and kill each resuming, too, at a point of its own
    python -m tests.support.kill_points --moments 100       # at so many moments drawn at random instead

Each training is a forked process that dies by SIGKILL right before its n-th flush, rename, link or new folder, or after
a time of which it knows nothing.
"""

import argparse
import contextlib
import io
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import yaml

from lib import ROOT
from lib.checkpoints.files import identity
from lib.core import commands

CHANGES = ("fsync", "replace", "link", "mkdir")  # calls of os
RESULTS = ("log.csv", "config.yml", "result/metrics.csv")
PLOTS = ("graph/train_loss.pdf", "graph/joint_error.pdf")
CHECKPOINTS = ("checkpoint/best.pth.tar", "checkpoint/final.pth.tar")
TRAINING = {"end_epoch": 3, "batch_size": 8, "scheduler": "step", "lr_step": [2]}
SECTIONS = {
    "DATASET": {"use_gt_input": False},  # random errors of the input
    "TRAIN": TRAINING,
    "TEST": {"batch_size": 8, "save_predictions": True},
    "SYNTHETIC": {"samples_per_epoch": 16, "test_samples": 8},
}


@contextlib.contextmanager
def counted(kill_at: int | None) -> Iterator[list[str]]:
    """Names of the changes inside; the process dies before the one with that number, from 1."""
    done: list[str] = []
    kept = {name: getattr(os, name) for name in CHANGES}

    def wrapped(name: str) -> Callable:
        def call(*args, **kwargs):
            done.append(name)
            if len(done) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return kept[name](*args, **kwargs)

        return call

    for name in CHANGES:
        setattr(os, name, wrapped(name))
    try:
        yield done
    finally:
        for name, call in kept.items():
            setattr(os, name, call)


def train_here(config: Path, experiment: Path, resume: bool = False) -> None:
    given = {"cfg": config, "set": [], "seed": 1, "gpu": "", "experiment": experiment, "root": ROOT}
    commands.train(argparse.Namespace(**given, debug=False, resume_training=resume, name=""))


def train(
    config: Path, experiment: Path, resume: bool = False, kill_at: int | None = None, after: float | None = None
) -> tuple[int, int, str]:
    """Train in a forked process, killed before a change or after seconds; wait status, number of changes, output."""
    report = experiment.with_name(f"{experiment.name}.txt")
    child = os.fork()
    if child == 0:
        code = 1
        text = io.StringIO()
        try:
            with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text), counted(kill_at) as done:
                train_here(config, experiment, resume)
            code = 0
        except BaseException:
            text.write(traceback.format_exc())
        finally:
            report.write_text(f"{len(done)}\n{text.getvalue()}")
            os._exit(code)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    number, _, printed = report.read_text().partition("\n") if report.is_file() else ("0", "", "")
    report.unlink(missing_ok=True)
    return status, int(number), printed


def differences(whole: Path, run: Path, names: tuple[str, ...]) -> list[str]:
    """What a resumed run lacks or has otherwise than one that was never killed, and what it has too much."""
    wanted = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    found = {path.relative_to(run) for path in run.rglob("*") if path.is_file()}
    wrong = [f"{path} is missing" for path in wanted - found] + [f"{path} is left" for path in found - wanted]
    predictions = (str(path) for path in wanted if path.match("result/predictions/*.npy"))
    for name in (*names, *predictions):
        if (run / name).is_file() and (run / name).read_bytes() != (whole / name).read_bytes():
            wrong.append(f"{name} differs")
    for name in CHECKPOINTS:
        if (run / name).is_file() and not equal(stored(run / name), stored(whole / name)):
            wrong.append(f"{name} differs")
    ours, other = (json.loads((place / "result" / "metrics.json").read_text()) for place in (run, whole))
    weights = ours.pop("weights")
    if ours | {"weights": other["weights"]} != other or weights != identity(
        run / CHECKPOINTS[1], TRAINING["end_epoch"]
    ):
        wrong.append("result/metrics.json differs, or is of other weights")
    return wrong


def stored(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def equal(value, other) -> bool:
    """Whether two contents of checkpoints are the same to the bit."""
    if isinstance(value, dict):
        return value.keys() == other.keys() and all(equal(part, other[key]) for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return len(value) == len(other) and all(map(equal, value, other))
    return torch.equal(value, other) if isinstance(value, torch.Tensor) else value == other


def check(config: Path, folder: Path, points: list[int] | None = None, twice: bool = False, moments: int = 0):
    """Kill and resume at each point, or at moments.

    Args:
        config: settings file.
        folder: empty; run folders go there.
        points: numbers of changes; None: all.
        twice: kill the resumed training as well.
        moments: number of random moments to kill at, within the time of a training; 0: points instead.

    Returns:
        number of changes of a whole training, of kills, and a line per failure.
    """
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), counted(None) as done:
        train_here(config, folder / "whole")  # in this process, so that the others find everything imported
    changes = len(done)
    start = time.monotonic()
    if moments:
        train(config, folder / "timed")
    longest = time.monotonic() - start
    (whole,) = (folder / "whole").glob("exp_*")
    names = (*RESULTS, *PLOTS)
    kills, failures, draw = 0, [], random.Random(0)
    everywhere = range(1, changes + 1) if points is None else points
    for point in range(1, moments + 1) if moments else everywhere:
        place = folder / f"killed_{point}"
        when = {"after": draw.uniform(0, longest)} if moments else {"kill_at": point}
        status, *_ = train(config, place, **when)
        kills += os.WIFSIGNALED(status)
        if twice:
            status, *_ = train(config, place, resume=True, kill_at=draw.randint(1, changes))
            kills += os.WIFSIGNALED(status)
        status, _, printed = train(config, place, resume=True)
        if status:
            failures.append(f"killed at {when}: resuming failed\n{printed}")
            continue
        run = max(place.glob("exp_*"), key=lambda path: path.stat().st_mtime_ns)
        runs = [path for path in place.glob("exp_*") if (path / "result" / "metrics.json").is_file()]
        wrong = differences(whole, runs[0] if len(runs) == 1 else run, names)
        wrong += [f"{path.name} is left" for path in place.rglob("*.tmp")]
        if wrong or len(runs) != 1:
            failures.append(f"killed at {when}: {len(runs)} complete runs; {'; '.join(wrong)}\n{printed}")
    return changes, kills, failures


def settings(stage: str) -> dict:
    """Of a hand on its open model, so small that an epoch takes a tenth of a second."""
    from tests.support.networks import HAND_PLAN

    model = {"name": stage, "body": "open_hand", "posenet_width": 16, "graph_levels": 6, "mesh_channels": HAND_PLAN}
    data = {"train_list": ["Synthetic"], "test_list": ["Synthetic"], "workers": 0, "cache": ""}
    joints = {"input_joint_set": "mano", "target_joint_set": "mano"}
    return {**SECTIONS, "MODEL": model, "DATASET": {**SECTIONS["DATASET"], **data, **joints}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--twice", action="store_true", help="kill the resumed trainings as well")
    parser.add_argument("--stage", nargs="+", default=["posenet", "pose2mesh_net"])
    parser.add_argument("--points", nargs="+", type=int, help="numbers of the changes to kill at (default: all)")
    parser.add_argument("--moments", type=int, default=0, help="number of random moments to kill at, of each stage")
    args = parser.parse_args()
    torch.set_num_threads(1)  # a forked process would wait for ever for others
    failed = False
    for stage in args.stage:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder) / "settings.yml"
            config.write_text(yaml.safe_dump(settings(stage)))
            changes, kills, failures = check(config, Path(folder), args.points, args.twice, args.moments)
        seconds = time.monotonic() - start
        print(f"{stage}: {changes} changes, {kills} kills, {len(failures)} failures, {seconds:.0f} s")
        print("\n".join(failures), flush=True)
        failed |= bool(failures)
    sys.exit(failed)


if __name__ == "__main__":
    main()
