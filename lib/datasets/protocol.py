"""What one data set does differently from the others, as table entries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lib.units import MM_PER_M

RELEASE = "section Data of https://github.com/hongsukchoi/Pose2Mesh_RELEASE"


@dataclass(frozen=True)
class FitCheck:
    """Samples whose body fit is too far from the annotation lose their supervision.

    Attributes:
        error: ``error(posed) -> (B,)``, see ``lib/datasets/fit_errors.py``; ``posed``: ``lib.datasets.posed.Posed``.
        threshold: larger errors are masked; millimetres, or pixels of a 64 x 64 crop.
        masks: input joint set -> the targets that are masked, see ``lib.datasets.batch.Batch``. With input joint sets
            that are missing nothing is checked.
        without_mesh: PoseNet, which has no mesh to learn, is trained with the check too.
        joint_sets: regressors that ``error`` asks for.
        unit: of error and threshold, in words.
    """

    error: Callable
    threshold: float
    masks: Mapping[str, tuple[str, ...]]
    without_mesh: bool = True
    joint_sets: tuple[str, ...] = ("human36",)
    unit: str = "mm"


@dataclass(frozen=True)
class Protocol:
    """How samples of a data set are made from its records.

    Attributes:
        target_set: joint set of the joints that the predicted mesh is compared by; empty: whatever is configured.
        annotated_set: joint set whose 3D joints are annotated (column ``joint_cam``) and stand in for joints that are
            regressed from the mesh; empty: none.
        input_sets: joint sets that its 2D input can be made for; empty: any.
        test_detections: tests read detected joints (column ``detections``) unless ``use_gt_input``.
        train_detections: training does so too; otherwise it synthesises 2D errors.
        always_detections: even with ``use_gt_input``.
        loose_noise_box: the size of 2D errors follows the box of the crop, not the tight box around the joints.
        flip_in_crop: poses are mirrored before errors are added, not after.
        augment: training may mirror and rotate.
        fit_check: see ``FitCheck``.
    """

    target_set: str = ""
    annotated_set: str = ""
    input_sets: tuple[str, ...] = field(default=())
    test_detections: bool = False
    train_detections: bool = False
    always_detections: bool = False
    loose_noise_box: bool = False
    flip_in_crop: bool = False
    augment: bool = True
    fit_check: FitCheck | None = None


@dataclass(frozen=True)
class NeededFile:
    """A file, what it holds (``annotations``, ``fits``, ``detections``, ``model``) and where to get it, in words."""

    path: Path
    holds: str
    source: str


def released(folder: str) -> str:
    """Where to get a file that the authors of Pose2Mesh published: a folder of their Google Drive."""
    return f"get it from https://drive.google.com/drive/folders/{folder} ({RELEASE})"


@dataclass(frozen=True)
class Inspection:
    """What ``data/verify.py`` and ``main/doctor.py`` have to know of a data set with files.

    Attributes:
        pattern: a file below its folder that it cannot do without.
        joint_set: joint set of its annotated joints, or of its fits where none are annotated; empty: of its input.
        gendered: bodies have their own gender, so that the female and male models must be there too.
        settings: it is read with, section -> name -> value; its joint sets follow from the protocol.
    """

    pattern: str = "**/*.json"
    joint_set: str = ""
    gendered: bool = False
    settings: Mapping[str, Mapping] = field(default_factory=dict)


@dataclass(frozen=True)
class MeshSamples:
    """Which meshes of a test ``TEST.vis`` writes, and how.

    Attributes:
        every: one of so many samples, from the first.
        name: ``name(records, index)`` without extension; images may have folders, the file has none.
        scale: from millimetres.
        aligned: relative to the first joint of the body model, regressed.
        truth: also write the true mesh; then names end in ``_pred`` and ``_gt``.
    """

    every: int = 500
    name: Callable = lambda records, index: str(index)
    scale: float = 1 / MM_PER_M
    aligned: bool = False
    truth: bool = False


def image_path(records, index: int) -> PurePosixPath:
    """Path of a record's image, as its annotation has it."""
    return PurePosixPath(bytes(records["image"][index]).decode())
