"""The page of results, docs/results.md, from the ``metrics.json`` files of tests: its tables, between comments.

    python data/measure/results.py                          the page from the figures in asset/results
    python data/measure/results.py --runs FOLDER            first take the figures of the runs in FOLDER
    python data/measure/results.py --runs FOLDER --run      first make the runs that FOLDER lacks
    python data/measure/results.py --speed speed.json       first take a report of main/benchmark.py --output

Figures of this project are in asset/results/open.json, sequences.json and speed.json, which this command writes; those
that others published in published.json, written by hand with their sources. --run takes half a minute to some minutes
for each of the tests; it may be stopped and goes on with what is missing. A run counts where its settings are those of
the row, and its weights those that are here.
"""

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.measure.results_sequences import SequenceRow, sequence_rows
from data.measure.results_tables import tables
from lib import ROOT
from lib.benchmark.gpu_rows import GPU_ROWS
from lib.benchmark.report import machine_text
from lib.benchmark.rows import ROWS
from lib.checkpoints.files import identity
from lib.checkpoints.finding import find_checkpoint
from lib.comparison.results import read_metrics
from lib.core.baselines import BASELINES
from lib.files import atomic_write, replace_sections
from lib.settings.agreement import settings_of_test
from lib.settings.config import Config
from lib.settings.reading import load_config
from lib.settings.setting import NETWORK, REFINED

FIGURES, PAGE = ROOT / "asset" / "results", ROOT / "docs" / "results.md"
INPUTS = {  # of each joint set's benchmark: title -> part of the config's name
    "coco": {"exact": "gt_", "jitter": "", "errors": "hard_", "exact, any view": "any_"},
    "human36": {"exact": "gt_", "jitter": "", "errors": "hard_", "exact, any view": "any_"},
    "smpl": {"exact": "gt_", "jitter": "", "exact, any view": "any_"},
    "mano": {"exact": "gt_", "jitter": ""},
}
_DIGITS = 4  # after the point


@dataclass(frozen=True)
class BenchmarkRow:
    """One row of the open benchmark.

    Attributes:
        joint_set, given: of the network, and of its 2D input (a title of ``INPUTS``).
        model: ``network``, ``refined`` or a baseline.
    """

    joint_set: str
    given: str
    model: str

    @property
    def is_baseline(self) -> bool:
        return self.model in BASELINES

    @property
    def cfg(self) -> str:
        return f"pose2mesh_{self.joint_set}J_{INPUTS[self.joint_set][self.given]}test_open"

    @property
    def key(self) -> str:
        """Name in ``open.json``, and of the folder that its run is in."""
        return self.cfg if self.model == NETWORK else f"{self.cfg}.{self.model}"

    @property
    def options(self) -> list[str]:
        """Of main/test.py, beside --cfg."""
        if self.is_baseline:
            return ["--baseline", self.model]
        return [] if self.model == NETWORK else ["--set", f"TEST.mesh={self.model}"]

    def settings(self) -> Config:
        return load_config(self.cfg, self.options[1:] if self.model == REFINED else [])


def benchmark_rows() -> Iterator[BenchmarkRow]:
    """All rows: the networks, then baselines, then refined surfaces, which take longest."""
    for joint_set, inputs in INPUTS.items():
        for given in inputs:
            yield BenchmarkRow(joint_set, given, NETWORK)
    for joint_set in INPUTS:
        for baseline in BASELINES:
            yield BenchmarkRow(joint_set, "exact", baseline)
    for joint_set, inputs in INPUTS.items():
        for given in inputs:
            yield BenchmarkRow(joint_set, given, REFINED)


def fitting_run(folder: Path, test: BenchmarkRow | SequenceRow, sha256: str) -> dict | None:
    """The newest ``metrics.json`` in a folder that is of a test and of these weights; None without one."""
    cfg, found = test.settings(), []
    for path in folder.glob("**/metrics.json"):
        try:
            result, content = read_metrics(path, path, test.key, None), json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            print(f"left out: {error}")
            continue
        weights = content.get("weights", {}).get("sha256", "")
        tested = result.predictor or ("weights" if weights else "")
        if not tested:  # written by a version that did not say
            tested = f"baseline {test.model}" if test.key in path.parts else ""
        wanted = ("weights", sha256) if not test.is_baseline else (f"baseline {test.model}", "")
        if (tested, weights) == wanted and result.settings == settings_of_test(cfg, result.dataset):
            found.append((path.stat().st_mtime, content))
    return max(found, key=lambda entry: entry[0])[1] if found else None


def run_test(test: BenchmarkRow | SequenceRow, folder: Path) -> None:
    """
    Raises:
        ValueError: the test failed.
    """
    place = folder / test.key
    command = [sys.executable, str(ROOT / "main" / "test.py"), "--cfg", test.cfg, "--experiment", str(place)]
    print(f"testing {test.key}", flush=True)
    done = subprocess.run([*command, *test.options], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{test.key}: {done.stderr.strip().splitlines()[-1]}")


def collect(known: dict, tests: Sequence, folder: Path, run: bool) -> dict:
    """Figures of the rows ``tests``, by key: those in a folder of runs, else those known before."""
    rows = dict(known)
    for test in tests:
        path = find_checkpoint(test.settings().TEST.weight_path, ROOT / "experiment", ROOT, "TEST.weight_path")
        sha256 = str(identity(path, 0, ROOT)["sha256"])
        content = fitting_run(folder, test, sha256)
        if content is None and run:
            run_test(test, folder)
            content = fitting_run(folder, test, sha256)
        if content is not None:
            figures = {name: round(metric["value"], _DIGITS) for name, metric in content["metrics"].items()}
            weights = {} if test.is_baseline else {"weights": sha256}
            rows[test.key] = {"samples": content["samples"], **weights, "figures": figures}
    return {test.key: rows[test.key] for test in tests if test.key in rows}


def read_json(path: Path) -> dict:
    """A file of ``FIGURES``; empty where there is none."""
    with contextlib.suppress(FileNotFoundError):
        return json.loads(path.read_text(encoding="utf-8"))
    return {}


def speed_figures(report: dict) -> dict:
    """What the page shows of a report of ``main/benchmark.py --output``.

    Raises:
        ValueError: of small sizes.
    """
    if report["quick"]:
        raise ValueError("a report of --quick is of small sizes: measure without it")
    titles, rows = {row.name: row.text(quick=False) for row in (*ROWS, *GPU_ROWS)}, []
    for name, columns in report["rows"].items():
        for column, figures in columns.items():
            count = figures["ours"]["items_per_repeat"]  # a side that does less is shown as if it did the other's work
            seconds = {side: count * figures[side]["seconds_per_item"] for side in ("ours", "plain")}
            rows.append({"row": titles[name], "column": column, **seconds, "ratio": figures["ratio"]})
    return {"machine": machine_text(report["machine"]), "rows": rows}


def write_json(path: Path, content: dict) -> None:
    with atomic_write(path) as stream:
        json.dump(content, stream, indent=1)
        stream.write("\n")


def made_tables() -> dict[str, str]:
    """The page's tables, as the files in ``FIGURES`` make them."""
    parts = (read_json(FIGURES / f"{name}.json") for name in ("open", "speed", "published", "sequences"))
    return tables(list(benchmark_rows()), *parts)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, help="folder with run folders, at any depth")
    parser.add_argument("--run", action="store_true", help="make the runs that --runs lacks")
    parser.add_argument("--speed", type=Path, help="report of main/benchmark.py --output")
    args = parser.parse_args(arguments)
    if args.run and args.runs is None:
        parser.error("--run needs --runs, the folder for the runs")
    if args.runs is not None and not args.run and not args.runs.is_dir():
        parser.error(f"--runs {args.runs}: no such folder")
    if args.runs is not None:
        for name, tests in (("open", list(benchmark_rows())), ("sequences", list(sequence_rows()))):
            path = FIGURES / f"{name}.json"
            write_json(path, collect(read_json(path), tests, args.runs, args.run))
    if args.speed is not None:
        write_json(FIGURES / "speed.json", speed_figures(json.loads(args.speed.read_text(encoding="utf-8"))))
    replace_sections(PAGE, "results", made_tables())
    print(f"Wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
