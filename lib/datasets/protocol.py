"""What one data set does differently from the others, as a table entry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FitCheck:
    """Samples whose body fit is too far from the annotation lose their supervision.

    Attributes:
        error: ``error(posed) -> (B,)``, see ``lib/datasets/fit_errors.py``; ``posed``: ``lib.datasets.posed.Posed``.
        threshold: larger errors are masked; millimetres, or pixels of a 64 x 64 crop.
        masks: (MODEL.name, input joint set) -> the targets that are masked, of ``mesh``, ``lift``, ``reg``. Pairs that
            are missing are not checked.
        joint_sets: regressors that ``error`` asks for.
    """

    error: Callable
    threshold: float
    masks: Mapping[tuple[str, str], tuple[str, ...]]
    joint_sets: tuple[str, ...] = ("human36",)


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
