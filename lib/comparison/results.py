"""Results that are compared: run folders, ``metrics.json``, ``metrics.csv`` and saved predictions, in one form."""

import contextlib
import csv
import io
import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lib.core.tester import Options, Tester
from lib.evaluation.evaluator import JointErrors
from lib.evaluation.predictions import IDENTITY, Predictions
from lib.evaluation.report import GROUPS, JOINT_ERRORS, JOINT_NAMES
from lib.files import read_arrays, read_text
from lib.messages import naming, one_line, shown
from lib.settings.agreement import settings_of_test
from lib.settings.config import Config
from lib.settings.reading import load_config

_MOST = 1 << 26  # bytes of a file of figures
WANTED = "a run folder, metrics.json, metrics.csv or saved predictions (folder or .npz)"


@dataclass(frozen=True)
class Value:
    """One figure of one result.

    Attributes:
        value: NaN where a test had none.
        unit: see ``lib.evaluation.evaluator.Figure``.
        protocol: how it was measured; empty where the file does not say.
        groups: its value for each action or video.
    """

    value: float
    unit: str
    protocol: str = ""
    groups: dict[str, float] = field(default_factory=dict)

    @property
    def larger_is_better(self) -> bool:
        """Shares (AUC, F-scores) have no unit, all others are errors."""
        return not self.unit


@dataclass(frozen=True)
class Result:
    """What is known of one test.

    Attributes:
        name: in tables and pictures.
        path: as given.
        dataset, samples: name of the data set and number of its samples; empty and 0 where the file does not say.
        setting: split and the like, in words.
        predictor: what was tested, in words.
        figures: by name.
        group_kind: what groups are, e.g. ``action``; empty without.
        joints: joint -> mean error, mm, and the figure that is their mean; empty where unknown.
        settings: see ``lib.settings.agreement.settings_of_test``; None where unknown.
        errors: figure -> (N,) of every sample; empty where they were not kept.
        joint_errors: of every sample; None likewise.
        clusters: (N,) text, the group of every sample; None without groups.
        identity: columns that say which sample is which.
        predictions: folder or file of saved predictions; None where there are none.
        cfg: settings of the test; None where unknown.
    """

    name: str
    path: Path
    dataset: str = ""
    samples: int = 0
    setting: str = ""
    predictor: str = ""
    figures: dict[str, Value] = field(default_factory=dict)
    group_kind: str = ""
    joints: tuple[str, dict[str, float]] = ("", {})
    settings: dict[str, dict[str, object]] | None = None
    errors: dict[str, np.ndarray] = field(default_factory=dict)
    joint_errors: JointErrors | None = None
    clusters: np.ndarray | None = None
    identity: dict[str, np.ndarray] = field(default_factory=dict)
    predictions: Path | None = None
    cfg: Config | None = None


def read_result(path: Path, name: str, cfg: Config | None, evaluated: Path, options: Options) -> Result:
    """A result of any kind.

    Args:
        path: see ``WANTED``.
        name: see ``Result``.
        cfg: settings of the test; None: those of the run.
        evaluated: folder that figures of saved predictions are written to.
        options: of the test.

    Raises:
        FileNotFoundError, ValueError: nothing of the kind, or it cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected {WANTED}")
    inside = [path / "result" / "metrics.json", path / "metrics.json"] if path.is_dir() else [path]
    for file in inside:
        if file.suffix == ".json" and file.is_file():
            return _with_evaluated_errors(read_metrics(file, path, name, cfg), evaluated, options)
    if path.suffix == ".csv":
        return _of_csv(path, name, cfg)
    if path.suffix == ".npz" or (path.is_dir() and any(path.glob("*.npy"))):
        return _of_predictions(path, name, cfg or _run_settings(path), evaluated, options)
    found = "has neither result/metrics.json nor arrays" if path.is_dir() else "is another kind of file"
    raise ValueError(f"{path} {found}; expected {WANTED}")


def _run_settings(path: Path) -> Config | None:
    """Settings of the run that a file or folder belongs to: of the nearest ``config.yml`` at most two folders up."""
    for folder in (path, *path.resolve().parents[:2]):
        if (folder / "config.yml").is_file():
            return load_config(folder / "config.yml")
    return None


def read_metrics(path: Path, given: Path, name: str, cfg: Config | None) -> Result:
    """A ``metrics.json`` with what stands beside it: settings, errors of samples, predictions.

    Args:
        path: the file.
        given: what the user named.
        name, cfg: see ``read_result``.

    Raises:
        FileNotFoundError, ValueError: see ``read_result``.
    """
    try:
        content = json.loads(read_text(path, _MOST))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not valid JSON ({one_line(error, 200)})") from error
    try:
        figures, kind = {}, ""
        for figure, metric in content["metrics"].items():
            groups = {key: value for key, value in metric.items() if isinstance(value, dict)}
            kind = next(iter(groups), kind)
            means = {group: _number(value) for group, value in groups.get(kind, {}).items()}
            figures[figure] = Value(_number(metric["value"]), str(metric["unit"]), str(metric["protocol"]), means)
        joints = content.get("joints") or {"figure": "", "values": {}}
        result = Result(
            name,
            given,
            str(content["dataset"]),
            int(content["samples"]),
            str(content.get("setting", "")),
            str(content.get("predictor", "")),
            figures,
            kind,
            (str(joints["figure"]), {joint: _number(value) for joint, value in joints["values"].items()}),
            content.get("settings") or None,
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: not the metrics.json of a test ({one_line(error, 200)})") from error
    cfg = cfg or _run_settings(path.parent)
    if result.settings is None and cfg is not None:
        result = replace(result, settings=settings_of_test(cfg, result.dataset))
    saved = path.parent / "predictions"
    result = replace(result, cfg=cfg, predictions=saved if saved.is_dir() else None)
    kept = path.parent / "errors.npz"
    return _with_errors(result, kept) if kept.is_file() else result


def _number(value) -> float:
    """A number of a JSON file, in which null stands for NaN."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"expected a number, found {shown(value)}")
    return math.nan if value is None else float(value)


def _with_errors(result: Result, path: Path) -> Result:
    arrays = read_arrays(path, wanted="errors of samples, as main/test.py writes them")
    with naming(path):
        names, values = arrays.pop(JOINT_NAMES, None), arrays.pop(JOINT_ERRORS, None)
        clusters = arrays.pop(GROUPS, None)
        identity = {key: arrays.pop(key) for key in IDENTITY if key in arrays}
        for key, array in arrays.items():
            if array.shape != (result.samples,) or array.dtype.kind != "f":
                raise ValueError(f"{key} is {array.dtype} {array.shape}, expected ({result.samples},) real numbers")
    joints = None if names is None or values is None else JointErrors(result.joints[0], tuple(names.tolist()), values)
    return replace(result, errors=arrays, joint_errors=joints, clusters=clusters, identity=identity)


def _with_evaluated_errors(result: Result, evaluated: Path, options: Options) -> Result:
    """Errors of samples of a run that kept predictions alone, where its data set is in place."""
    if result.errors or result.predictions is None or result.cfg is None:
        return result
    try:
        found = _of_predictions(result.predictions, result.name, result.cfg, evaluated, options)
    except (ValueError, OSError):  # its figures are known without
        return result
    kept = ("errors", "joint_errors", "joints", "clusters", "identity")
    return replace(result, **{key: getattr(found, key) for key in kept})


def _of_csv(path: Path, name: str, cfg: Config | None) -> Result:
    rows = list(csv.reader(io.StringIO(read_text(path, _MOST))))
    if not rows or rows[0][:3] != ["part", "name", "samples"]:
        found = shown(",".join(rows[0])) if rows else "nothing"
        raise ValueError(f"{path}: not the metrics.csv of a test; its first line is {found}")
    totals = [row for row in rows[1:] if row and row[0] == "all"]
    if len(totals) != 1 or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError(f"{path}: expected one row 'all' and {len(rows[0])} cells in each row")
    groups = [row for row in rows[1:] if row[0] != "all"]
    figures = {}
    with naming(path):
        for column, title in enumerate(rows[0][3:], 3):
            figure, _, unit = title.partition(" (")
            parts = {row[1]: float(row[column] or "nan") for row in groups}
            figures[figure] = Value(float(totals[0][column] or "nan"), unit.rstrip(")"), "", parts)
        samples = int(totals[0][2])
    kind = groups[0][0] if groups else ""
    cfg = cfg or _run_settings(path.parent)
    settings = None if cfg is None else settings_of_test(cfg, totals[0][1])
    return Result(name, path, totals[0][1], samples, figures=figures, group_kind=kind, settings=settings, cfg=cfg)


def _of_predictions(path: Path, name: str, cfg: Config | None, evaluated: Path, options: Options) -> Result:
    if cfg is None:
        raise ValueError(f"{path}: saved predictions need --cfg, the settings of their test, to be evaluated with")
    Predictions(path)  # before the data are read, which may take minutes
    with contextlib.redirect_stdout(io.StringIO()):
        tester = Tester(cfg, options)
        tester.test_predictions(path)
        tester.report(evaluated, predictor=f"saved predictions {path.name}")
    result = read_metrics(evaluated / "metrics.json", path, name, cfg)
    return replace(result, predictions=path)
