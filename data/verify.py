"""Check that a data set is complete and consistent, and draw what was annotated.

    python data/verify.py Human36M
    python data/verify.py PW3D --split test --samples 1000 --output verify
    python data/verify.py all --root tiny

One line per finding: OK, WARN or FAIL. Checked: files; numbers of records; units; ranges of joints; projections of the
body fits against annotated 2D and 3D joints; detections against projected joints; order and duplicates. A contact sheet
goes to OUTPUT/<data set>_<split>.png. The exit status is 1 when something failed.
"""

import argparse
import contextlib
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.checks.checks import check_detections, check_fits, check_image, check_records, check_sizes
from data.checks.files import model_files
from data.checks.report import FAIL, OK, WARN, Finding, Report
from data.checks.sheet import write_sheet
from data.checks.view import look
from lib import ROOT
from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import NeededFile
from lib.datasets.registry import DATASETS, dataset_class
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import MeshModel, load_mesh_model
from lib.settings.config import Config
from lib.settings.reading import merge

SHEET_TILES = 12


def with_files() -> list[str]:
    """Names of the data sets that have files to check."""
    return [name for name in DATASETS if dataset_class(name).inspection is not None]


def verify(
    name: str,
    split: str,
    root: Path,
    samples: int,
    output: Path,
    optional: bool = False,
    models: dict[str, MeshModel] | None = None,
) -> list[Finding]:
    """Check one split of one data set; prints each finding.

    Args:
        name: one of ``with_files()``. split: ``train``, ``test`` or ``validation``, where the set has it.
        root: folder that holds ``data/`` and the body models.
        samples: records to pose and project, evenly spread.
        output: folder of the contact sheet.
        optional: a set of which no file is there is doubtful, not wrong.
        models: body and hand by kind, read once for several calls.
    """
    report, data = Report(f"{name} {split}"), dataset_class(name)
    files = data.needed_files(split, root)
    if optional and not any(file.path.is_file() for file in files):
        report.add(WARN, "files", f"none of the {len(files)} files is there; {files[0].source}")
        return report.findings
    config = settings_of(data)
    kind = get_joint_set(config.DATASET.input_joint_set).body
    missing = _check_files(files + model_files(kind, data.inspection.gendered, root), report)
    config = config.changed(DATASET={"use_gt_input": "detections" in missing})
    if {"annotations", "fits"} & missing or (data.protocol.always_detections and "detections" in missing):
        return report.findings
    models = {} if models is None else models
    try:
        if kind not in models:
            models[kind] = load_mesh_model(kind, "auto", root)
        with contextlib.redirect_stdout(sys.stderr):  # standard output is for findings
            dataset = data(split, config, models[kind], root=root)
        check_records(dataset, report)
        if "model" in missing:
            report.add(WARN, "fits", "not checked: they belong to the model files that are missing")
            return report.findings
        _check_samples(dataset, samples, output, report)
    except (ValueError, OSError, OverflowError) as error:
        report.add(FAIL, "annotations", str(error))
    return report.findings


def _check_files(files: list[NeededFile], report: Report) -> set[str]:
    """What the missing files hold."""
    missing = [file for file in files if not file.path.is_file()]
    for file in missing:
        report.add(FAIL, "files", f"{file.path} not found; {file.source}")
    if not missing:
        report.add(OK, "files", f"all {len(files)} are there")
    return {file.holds for file in missing}


def _check_samples(dataset: RecordDataset, samples: int, output: Path, report: Report) -> None:
    view = look(dataset, _spread(len(dataset), samples))
    check_sizes(dataset.mesh_model, view, report)
    check_image(view, report)
    check_fits(dataset, view, report)
    check_detections(view, report)
    tiles = view.pick(_spread(len(view.names), SHEET_TILES))
    file = output / f"{dataset.name}_{dataset.mode}.png"
    found = write_sheet(file, tiles, report.subject, dataset.folder / dataset.image_folder)
    report.add(OK, "contact sheet", f"{file}, {found} of {len(tiles.names)} images found (images are not needed)")


def _spread(count: int, wanted: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, wanted)).round().astype(np.int64))


def settings_of(data: type[RecordDataset]) -> Config:
    """The settings that a data set is read with: its own joint sets, and detections."""
    own = data.protocol.input_sets[0] if data.protocol.input_sets else "human36"
    sections = {
        "DATASET": {
            "train_list": [data.name],
            "test_list": [data.name],
            "input_joint_set": own,
            "target_joint_set": data.protocol.target_set or own,
            "use_gt_input": False,
        },
        "MODEL": {"name": "pose2mesh_net"},
    }
    for section, values in data.inspection.settings.items():
        sections[section] |= values
    return merge(sections)


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 1 when a check failed."""
    parser = argparse.ArgumentParser(description="Check a data set's files, numbers, units, fits and detections")
    parser.add_argument("dataset", choices=[*with_files(), "all"])
    parser.add_argument("--root", type=Path, default=ROOT, help="holds data/ and the body models")
    parser.add_argument("--split", choices=("train", "test", "validation"), help="default: all that the set has")
    parser.add_argument("--samples", type=int, default=500, help="records to pose and project")
    parser.add_argument("--output", type=Path, default=Path("verify"), help="folder of the contact sheets")
    args = parser.parse_args(arguments)
    if args.samples < 1:
        parser.error("--samples must be at least 1")
    everything = args.dataset == "all"
    findings: list[Finding] = []
    models: dict[str, MeshModel] = {}
    for name in with_files() if everything else [args.dataset]:
        splits = dataset_class(name).splits
        if args.split and args.split not in splits and not everything:
            parser.error(f"{name} has the splits {', '.join(splits)}")
        for split in splits:
            if args.split in (None, split):
                findings += verify(name, split, args.root, args.samples, args.output, everything, models)
    numbers = [sum(finding.level == level for finding in findings) for level in (OK, WARN, FAIL)]
    print("{} OK, {} WARN, {} FAIL".format(*numbers))
    return int(numbers[-1] > 0)


if __name__ == "__main__":
    sys.exit(main())
