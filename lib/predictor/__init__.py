"""2D or 3D poses in, meshes, joints and cameras out: everything that inference needs, loaded once.

Usage::

    from lib.poses import read_poses
    from lib.predictor import Pose2MeshPredictor

    predictor = Pose2MeshPredictor("coco")
    prediction = predictor(poses)                              # (B, 17 or 19, 2) pixels
    prediction.mesh, predictor.mesh_model.faces                # (B, V, 3) metres, (F, 3)

    sequence = read_poses("alphapose-results.json")            # detections of any number of people and frames
    for frame in sequence.frames:
        people = predictor.predict_detections(frame.poses, sequence.source)
        for person, number in zip(people.prediction, people.kept):
            person.mesh                                        # (V, 3) of person ``number`` in the frame

    predictor.predict_sequence(poses, fps=30)                  # (T, 17 or 19, 2): one person's frames, lifted together
    predictor.predict_pose3d(joints)                           # (B, 17 or 19, 3) millimetres, MeshNet alone

What needs PyTorch is imported when it is asked for: ``lib.predictor.onnx_predictor`` does without.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .inputs import VIEW_SIZE, check_poses

if TYPE_CHECKING:
    from .crop import camera_crop
    from .device import resolve_device
    from .predictor import Pose2MeshPredictor
    from .results import MeshPrediction, PeoplePrediction
    from .sequence_lifter import LiftedPeople, SequenceLifter
    from .stream import StreamLifter
    from .surfaces import Circumstances, Film
    from .weights import find_temporal_weights, find_weights, ships

__all__ = [
    "VIEW_SIZE",
    "Circumstances",
    "Film",
    "LiftedPeople",
    "MeshPrediction",
    "PeoplePrediction",
    "Pose2MeshPredictor",
    "SequenceLifter",
    "StreamLifter",
    "camera_crop",
    "check_poses",
    "find_temporal_weights",
    "find_weights",
    "resolve_device",
    "ships",
]  # fmt: skip

_MODULES = {
    "Circumstances": "surfaces", "Film": "surfaces", "MeshPrediction": "results", "PeoplePrediction": "results",
    "Pose2MeshPredictor": "predictor", "camera_crop": "crop", "find_weights": "weights", "resolve_device": "device",
    "LiftedPeople": "sequence_lifter", "SequenceLifter": "sequence_lifter",
    "StreamLifter": "stream", "find_temporal_weights": "weights", "ships": "weights",
}  # fmt: skip


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
