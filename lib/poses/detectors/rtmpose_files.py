"""RTMPose's model files: which are taken, and that they are what they should be before they run.

A file is known by the names of its outputs, which are those of MMDeploy's exports and of rtmlib's models. A model that
finds the joints of one person needs another one that finds the boxes of people; a one-stage model (RTMO) finds
everybody's joints alone.
"""

import contextlib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.messages import one_line
from lib.runtime.optional import optional

from .joints import HAND_JOINTS
from .published import BODIES, HANDS, WHOLE_BODIES, cache_folder, cache_lacking, cache_path, published, published_of

POSE, BOXES, ONE_STAGE = "joints of a person", "boxes of people", "joints of everybody"
_OUTPUTS = {  # names and ranks
    POSE: (("simcc_x", "simcc_y"), (3, 3)),
    BOXES: (("dets", "labels"), (3, 2)),
    ONE_STAGE: (("dets", "keypoints"), (3, 4)),
}
_WANTED = ", ".join(f"{' and '.join(names)} ({role})" for role, (names, _) in _OUTPUTS.items())
BOX_NUMBERS = 5  # left, top, right, bottom, score; without non-maximum suppression the scores of classes follow
_SMALLEST, _LARGEST = 16, 2048  # pixels that the sides of a model's input may have
_ANY_SIZE = 640, 640  # of a whole picture, for a model that takes any: as rtmlib
_BINS = 2  # of SimCC per pixel
_JOINTS = f"{POSE} or {ONE_STAGE}"
_MOST_BYTES = 1 << 31  # of an ONNX file, which is one Protocol Buffers message
_FATAL = 4  # smallest severity that ONNX Runtime logs: what it has to say is in its errors
_MOST_FILES = 20  # of a folder


@dataclass(frozen=True)
class ModelFile:
    """A model that was looked into.

    Attributes:
        path: of the file.
        role: ``POSE``, ``BOXES`` or ``ONE_STAGE``.
        size: height and width of its input, pixels.
        joint_num: joints that it finds; 0 of boxes.
    """

    path: Path
    role: str
    size: tuple[int, int]
    joint_num: int = 0

    @property
    def name(self) -> str:
        """The file's name, with its folder's where an archive's file was not renamed."""
        return f"{self.path.parent.name}/{self.path.name}" if self.path.stem == "end2end" else self.path.name


def find_models(kind: str, given: Path | None) -> tuple[ModelFile, ModelFile | None]:
    """The model of joints, and that of boxes unless the first needs none.

    Args:
        kind: ``body`` or ``hand``.
        given: file of a model of joints, or folder with the models; None: the cache of rtmlib.

    Raises:
        FileNotFoundError: nothing there, or nothing in the cache; says how to get it.
        ValueError: not such models.
    """
    if given is None:
        models = next((models for models in published_of(kind) if models.cached), None)
        if models is None:
            raise FileNotFoundError(cache_lacking(kind))
        pose = read_model(cache_path(models.pose))
        return pose, None if models.boxes is None else read_model(cache_path(models.boxes))
    if given.is_dir():
        found, problems = _read_models(_files(given))
        pose = _only(given, [model for model in found if model.role != BOXES], _JOINTS, problems)
    elif given.is_file():
        pose = read_model(given)
        if pose.role == BOXES:
            raise ValueError(f"{given} finds {BOXES}; name a model of joints, or a folder with both")
        found, problems = [], []
    else:
        raise FileNotFoundError(f"detector model {one_line(given, 200)} not found")
    if pose.role == ONE_STAGE:
        return pose, None
    boxes = [model for model in found if model.role == BOXES]
    return pose, _only(given, boxes, BOXES, problems) if boxes else _boxes_for(pose)


def _boxes_for(pose: ModelFile) -> ModelFile:
    """The model of boxes for a model of joints: rtmlib's for it or the only one beside it, else one in the cache."""
    rows = published(HANDS if pose.joint_num == HAND_JOINTS else (*WHOLE_BODIES, *BODIES))
    rows.sort(key=lambda models: cache_path(models.pose).name != pose.path.name)
    names = list(dict.fromkeys(cache_path(models.boxes).name for models in rows if models.boxes is not None))
    folder = pose.path.parent
    beside = next((folder / name for name in names if (folder / name).is_file()), None)
    if beside is not None:
        return read_model(beside)
    found, _ = _read_models(path for path in folder.glob("*.onnx") if path != pose.path)
    boxes = [model for model in found if model.role == BOXES]
    if boxes:
        return _only(folder, boxes, BOXES, [])
    cached = next((cache_folder() / name for name in names if (cache_folder() / name).is_file()), None)
    if cached is None:
        url = next(models.boxes for models in rows if models.boxes is not None)
        raise FileNotFoundError(f"{pose.path} needs a model of {BOXES} beside it or in {cache_folder()}, as {url}")
    return read_model(cached)


def _files(folder: Path) -> list[Path]:
    """The models in a folder, and in folders of it, as archives are unpacked.

    Raises:
        FileNotFoundError, ValueError: none, or too many.
    """
    files = sorted([*folder.glob("*.onnx"), *folder.glob("*/*.onnx")])
    if not files:
        raise FileNotFoundError(f"{folder} holds no ONNX models (.onnx)")
    if len(files) > _MOST_FILES:
        raise ValueError(f"{folder} holds {len(files)} ONNX models; name the file of a model of joints")
    return files


def _read_models(paths: Iterable[Path]) -> tuple[list[ModelFile], list[str]]:
    """Those that are models of RTMPose, and what is wrong with the others."""
    found, problems = [], []
    for path in paths:
        try:
            found.append(read_model(path))
        except ValueError as error:
            problems.append(str(error))
    return found, problems


def _only(folder: Path, models: Sequence[ModelFile], what: str, problems: Sequence[str]) -> ModelFile:
    if len(models) > 1:
        names = ", ".join(model.name for model in models)
        raise ValueError(f"{folder} holds {len(models)} models of {what}: {names}; name the file of a model of joints")
    if not models:
        raise ValueError(problems[0] if problems else f"{folder} holds no model of {what}")
    return models[0]


def read_model(path: Path) -> ModelFile:
    """Look into a model; it runs once where it does not say how many joints it finds.

    Raises:
        ValueError: not an ONNX model, or not one of these.
    """
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} is no file, or larger than an ONNX model can be, {_MOST_BYTES >> 30} GB")
    runtime = optional("onnxruntime", extra="rtmpose", use="--detector rtmpose")
    options = runtime.SessionOptions()
    runtime.set_default_logger_severity(_FATAL)  # of the sessions that rtmlib makes
    options.log_severity_level = _FATAL
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL  # quicker to read
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints some errors, too
            session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            inputs, outputs = session.get_inputs(), session.get_outputs()
        found = ", ".join(f"{tensor.name} {tensor.shape}" for tensor in [*inputs, *outputs])
    except Exception as error:  # its errors have no class in common
        raise ValueError(f"{path} cannot be read as an ONNX model: {one_line(error, 200)}") from error
    role = _role(outputs) if outputs else None
    shape = inputs[0].shape if len(inputs) == 1 and inputs[0].type == "tensor(float)" else []
    if role is None or len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise ValueError(
            f"{path} is no model of RTMPose: wanted an input of 32-bit numbers (1, 3, height, width) and outputs "
            f"{_WANTED}; found {len(inputs)} input(s), {len(outputs)} output(s): {one_line(found, 300)}"
        )
    size = _size(path, shape[2:], role, outputs)
    if role == BOXES:
        return ModelFile(path, role, size)
    joints = outputs[-1].shape[-2]
    if not isinstance(joints, int):
        joints = _run_once(path, session, size)[-1].shape[-2]
    return ModelFile(path, role, size, joints)


def _run_once(path: Path, session, size: tuple[int, int]) -> list[np.ndarray]:
    try:
        return session.run(None, {session.get_inputs()[0].name: np.zeros((1, 3, *size), np.float32)})
    except Exception as error:  # see ``read_model``
        raise ValueError(f"{path} fails on an image of {size[1]} x {size[0]} pixels: {one_line(error, 200)}") from error


def _role(outputs: Sequence) -> str | None:
    """What a model with these outputs finds; None of others."""
    names, ranks = (tuple(form) for form in zip(*((output.name, len(output.shape)) for output in outputs)))
    numbers = outputs[0].shape[-1] if ranks[0] else 0  # of each box, or bins of x; a text where it is not fixed
    for role, form in _OUTPUTS.items():
        if (names, ranks) == form:
            return role if role == POSE or not isinstance(numbers, int) or numbers == BOX_NUMBERS else None
    raw = ranks == (3,) and isinstance(numbers, int) and numbers > BOX_NUMBERS
    return BOXES if raw else None


def _size(path: Path, shape: Sequence, role: str, outputs: Sequence) -> tuple[int, int]:
    """Height and width of a model's input: its own, else those of rtmlib's table, of its outputs or of its name."""
    if not all(isinstance(side, int) for side in shape):
        tables = [models.sizes for models in published((*WHOLE_BODIES, *BODIES, *HANDS))]
        bins = [output.shape[-1] for output in outputs[::-1]]
        in_name = re.findall(r"(\d{2,4})x(\d{2,4})", f"{path.parent.name}/{path.stem}")
        if any(path.name in sizes for sizes in tables):
            shape = next(sizes[path.name] for sizes in tables if path.name in sizes)
        elif role == POSE and all(isinstance(count, int) for count in bins):
            shape = [count // _BINS for count in bins]
        elif in_name:
            shape = list(map(int, in_name[-1]))  # height x width, in MMPose's names
        elif role == POSE:
            raise ValueError(f"{path} takes any size; have it in the file's name, height x width, as in 256x192.onnx")
        else:
            shape = _ANY_SIZE
    height, width = shape
    if not all(_SMALLEST <= side <= _LARGEST for side in (height, width)):
        raise ValueError(f"{path} takes {width} x {height} pixels, expected sides of {_SMALLEST} to {_LARGEST}")
    return height, width
