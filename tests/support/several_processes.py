"""Try main/test.py and main/train.py in several processes: torchrun on one machine, and two nodes simulated on it.

    python -m tests.support.several_processes               # all trials; figures of docs/reliability.md
    python -m tests.support.several_processes --only speed

Each trial prints what was compared. Processes have one thread each.
"""

import argparse
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml

from data.tiny import write_tiny
from lib import ROOT
from lib.checkpoints.files import load_checkpoint
from tests.support.jobs import ENVIRONMENT, Job, children, commands, finish, run, start
from tests.support.kill_points import equal, settings, stored

LIMIT = 15  # seconds in which a job has to end
# published tests on tiny data: videos, the server's file, groups
PUBLISHED = ("pose2mesh_cocoJ_test_3dpw", "posenet_manoJ_test_freihand", "pose2mesh_human36J_test_human36")


def content(experiment: Path) -> dict[str, bytes]:
    """Files of the only run folder, but for what names the command; pictures without the time in their names."""
    (folder,) = experiment.glob("exp_*")
    names = {path: str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    files = {re.sub(r"_\d{4}-\d\d-\d\dT[\d-]+", "", name): path.read_bytes() for path, name in names.items()}
    assert len(files) == len(names)
    files.pop("versions.json")
    return files


def printed(job: Job) -> str:
    """What comes after the preparations, of which the first job alone makes caches."""
    return job.output.partition("===> Start testing...")[2]


class Trials:
    """All trials; ``failed`` has the names of those that did not hold."""

    def __init__(self, folder: Path):
        self.folder, self.failed = folder, []
        self.config = folder / "settings.yml"
        content = settings("pose2mesh_net")
        content["TEST"] |= {"vis": True}
        content["SYNTHETIC"] |= {"test_samples": 44}  # six batches, the last one short
        content["TRAIN"] = {**content["TRAIN"], "end_epoch": 2}
        self.config.write_text(yaml.safe_dump(content))

    def check(self, name: str, holds: bool, text: str) -> None:
        print(f"{'ok  ' if holds else 'FAIL'} {name}: {text}", flush=True)
        if not holds:
            self.failed.append(name)

    def same_test(self, name: str, arguments: list, kinds: tuple[str, ...]) -> None:
        """Files and printed lines of a test are those of one process, for each kind of job."""
        jobs = {}
        for kind in ("1", *kinds):
            experiment = self.folder / f"{name.replace(' ', '_')}_{kind}"
            jobs[kind] = run(kind, "test", arguments, experiment), experiment
        one, files = jobs["1"][0], content(jobs["1"][1])
        assert one.codes == [0], one.errors
        for kind in kinds:
            job, experiment = jobs[kind]
            folders = len(list(experiment.glob("exp_*")))
            others = content(experiment) if folders == 1 else {}
            wrong = [key for key in {**files, **others} if files.get(key) != others.get(key)]
            same = not wrong and printed(job) == printed(one)
            text = f"{len(files)} files and {len(printed(one).splitlines())} lines as of one process, {folders} folder"
            if not same:
                text = f"{folders} folders, other {wrong}, codes {job.codes}\n{job.output}\n{job.errors}"
            self.check(f"{name}, {kind}", same and not any(job.codes), text)

    def train_and_test(self) -> None:
        """Two epochs in two processes and on two nodes; then tests of the weights, in every way."""
        runs = {}
        for kind in ("2", "nodes"):
            experiment = self.folder / f"train_{kind}"
            job = run(kind, "train", ["--cfg", self.config], experiment)
            runs[kind] = sorted(experiment.glob("exp_*"))
            epochs = job.output.count("Loss:")
            good = len(runs[kind]) == 1 and epochs == 2 and not any(job.codes)
            self.check(f"training, {kind}", good, f"{epochs} epochs, {len(runs[kind])} folder, {job.seconds:.0f} s")
            if not good:
                print(job.output, job.errors)
                return
        ends = [stored(folders[0] / "checkpoint" / "final.pth.tar") for folders in runs.values()]
        for end in ends:
            end.pop("rng")
        self.check("training, nodes", equal(*ends), "weights and optimiser as of two processes on one machine")
        weights = ["--cfg", self.config, "--weights", runs["2"][0]]
        self.same_test("test of weights", weights, ("2", "3", "nodes"))
        trained = json.loads((runs["2"][0] / "result" / "metrics.json").read_text())
        alone = json.loads(content(self.folder / "test_of_weights_1")["result/metrics.json"])
        self.check("final test of a training", trained["metrics"] == alone["metrics"], "figures as of one process")
        log = {name: errors[-1] for name, errors in load_checkpoint(runs["2"][0]).test_log.items()}
        line = "MPVPE: {surface:.2f}, MPJPE: {joint:.2f}".format(**log)
        same = line in run("1", "test", weights, self.folder / "log_line").output
        self.check("test after an epoch", same, f"log line '{line}' as of one process")
        predictions = next((self.folder / "test_of_weights_1").glob("exp_*")) / "result" / "predictions"
        self.same_test("predictions", ["--cfg", self.config, "--predictions", predictions], ("2", "nodes"))
        self.same_test("baseline", ["--cfg", self.config, "--baseline", "linear"], ("2",))

    def published(self) -> None:
        """Tests of published settings with predictions, sample meshes and pictures."""
        write_tiny(self.folder / "tiny")
        for name in PUBLISHED:
            config = ROOT / "asset" / "yaml" / f"{name}.yml"
            changes = ["DATASET.workers=0", "TEST.batch_size=3", "TEST.vis=True", "TEST.save_predictions=True"]
            given = ["--cfg", config, "--root", self.folder / "tiny", "--baseline", "mean", "--set", *changes]
            self.same_test(name, given, ("2", "3"))

    @contextmanager
    def long_training(self, kind: str, name: str) -> Iterator[tuple[list[subprocess.Popen], Path, Path]]:
        """A job that would take minutes, after its first checkpoint."""
        experiment, log = self.folder / name, self.folder / f"{name}_log"
        given = ["--cfg", self.config, "--experiment", experiment, "--set", "TRAIN.end_epoch=2000"]
        processes = start(kind, "train", given, log)
        try:
            until = time.monotonic() + 120
            while not list(experiment.glob("exp_*/checkpoint/checkpoint2.pth.tar")) and time.monotonic() < until:
                time.sleep(0.1)
            yield processes, experiment, log
        finally:
            for process in processes:
                process.kill()

    def ended(self, kind: str, what: str, act: Callable, resumed: bool = False) -> None:
        """A job ends in seconds, with one line, however many processes it has, and can be resumed."""
        name = f"{what}_{kind}".replace(" ", "_")
        with self.long_training(kind, name) as (processes, experiment, log):
            workers = [worker for process in processes for worker in children(process.pid)]
            since = time.monotonic()
            act(processes, workers)
            job = finish(processes, log, since)
        alive = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
        good = len(job.lines) == 1 and job.seconds < LIMIT and all(job.codes) and not alive
        text = f"{job.seconds:.1f} s, exit codes {job.codes}, {len(alive)} processes left, says {job.lines}"
        self.check(f"{what}, {kind}", good, text if good else f"{text}\n{job.errors}")
        if resumed:
            (folder,) = experiment.glob("exp_*")
            epoch = load_checkpoint(folder).epoch
            given = ["--cfg", self.config, "--resume_training", "--set", f"TRAIN.end_epoch={epoch + 1}"]
            job = run(kind, "train", given, experiment)
            complete = (folder / "result" / "metrics.json").is_file() and load_checkpoint(folder).epoch == epoch + 1
            good = (
                complete
                and not any(job.codes)
                and not list(folder.rglob(".*"))
                and len(list(experiment.glob("exp_*"))) == 1
            )
            self.check(f"resuming after it, {kind}", good, "to the end, in the same folder" if good else job.errors)

    def endings(self) -> None:
        def kill(number: int, sent: int = signal.SIGKILL) -> Callable:
            return lambda processes, workers: os.kill(workers[number], sent)

        def stop(processes, workers) -> None:
            processes[0].send_signal(signal.SIGTERM)

        def interrupt(processes, workers) -> None:  # as a terminal does
            for pid in (*workers, *(process.pid for process in processes)):
                os.kill(pid, signal.SIGINT)

        self.ended("2", "second process killed", kill(1), resumed=True)
        self.ended("2", "first process killed", kill(0))
        self.ended("nodes", "second process killed", kill(1), resumed=True)
        self.ended("nodes", "first process killed", kill(0))
        self.ended("2", "SIGTERM to torchrun", stop)
        self.ended("2", "Ctrl-C", interrupt)
        for kind in ("2", "nodes"):
            job = run(kind, "test", ["--cfg", self.folder / "none.yml"], self.folder / f"wrong_{kind}")
            good = len(job.lines) == 1 and "none.yml" in job.lines[0] and all(job.codes)
            self.check(f"an error of all processes, {kind}", good, f"{job.codes}, says {job.lines}")

    def ports(self) -> None:
        """Two jobs at once; a port that is taken."""
        given, since = ["--cfg", self.config, "--baseline", "mean"], time.monotonic()
        logs = [self.folder / f"both{number}_log" for number in range(2)]
        both = [start("2", "test", [*given, "--experiment", self.folder / "both"], log) for log in logs]
        jobs = [finish(processes, log, since) for processes, log in zip(both, logs)]
        folders = len(list((self.folder / "both").glob("exp_*")))
        good = folders == 2 and not any(code for job in jobs for code in job.codes)
        self.check("two jobs at once", good, f"exit codes {[job.codes for job in jobs]}, {folders} folders")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            job = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
            job["MASTER_PORT"] = str(taken.getsockname()[1])
            (command,) = commands("1", "test", given)
            done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT | job, capture_output=True, text=True, timeout=300)
        lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        good = done.returncode == 2 and len(lines) == 1 and "Traceback" not in done.stderr
        self.check("MASTER_PORT taken", good, f"exit code {done.returncode}, says {lines}" if good else done.stderr)

    def speed(self) -> None:
        """Tests by one and by two processes of one thread; starting is taken off by a test of few samples."""
        config, few, many = ROOT / "asset" / "yaml" / "pose2mesh_cocoJ_test_open.yml", 64, 3834
        spent: dict[str, list[float]] = {}
        for kind in ("1", "2"):
            for samples in (few, many):
                changes, before = ["DATASET.workers=0", f"SYNTHETIC.test_samples={samples}"], processor_seconds()
                job = run(kind, "test", ["--cfg", config, "--set", *changes], self.folder / f"speed_{kind}_{samples}")
                assert job.codes == [0], job.errors
                spent[f"{kind}, {samples}"] = [job.seconds, processor_seconds() - before]
        one, two = (np.subtract(spent[f"{kind}, {many}"], spent[f"{kind}, {few}"]) for kind in ("1", "2"))
        clock, processor = one[0] / two[0], 2 * one[1] / two[1]
        text = f"{clock:.2f} times as fast by the clock, {processor:.2f} by processor time; clock and processor {spent}"
        self.check("one and two processes", processor > 1.5, text)


def processor_seconds() -> float:
    """Of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    names = ("train_and_test", "published", "endings", "ports", "speed")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    args, since = parser.parse_args(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        trials = Trials(Path(folder))
        for name in args.only:
            getattr(trials, name)()
    print(f"{len(trials.failed)} failures, {time.monotonic() - since:.0f} s")
    sys.exit(bool(trials.failed))


if __name__ == "__main__":
    main()
