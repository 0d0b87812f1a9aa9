"""Which stage trains and tests a configuration: on frames (`lib.core.stages`) or on sequences."""

from lib.core.sequence_stage import FramesStage, TemporalStage
from lib.core.stages import STAGES, Stage
from lib.mesh.mesh_model import MeshModel
from lib.settings.config import Config
from lib.settings.setting import POSE2MESH, POSENET, TEMPORAL

SEQUENCE_STAGES: dict[str, type[Stage]] = {POSENET: TemporalStage, POSE2MESH: FramesStage}  # by MODEL.name


def build_stage(cfg: Config, mesh_model: MeshModel) -> Stage:
    """The stage of a configuration.

    Raises:
        ValueError: the temporal lifter without sequences, or in a Pose2Mesh; a filter of what is not single frames of
            sequences.
    """
    if cfg.MODEL.lifter == TEMPORAL and not (cfg.DATASET.window and cfg.MODEL.name == POSENET):
        raise ValueError(
            f"MODEL.lifter {TEMPORAL} takes sequences: set DATASET.window to their frames and MODEL.name to "
            f"{POSENET!r}; meshes of its joints are made by the Pose2Mesh in TEST.mesh_path"
        )
    if cfg.TEST.filter != "none" and not (cfg.DATASET.window and cfg.MODEL.name == POSE2MESH):
        raise ValueError(
            f"TEST.filter {cfg.TEST.filter} is of single frames in sequences: of MODEL.name {POSE2MESH!r} with "
            "DATASET.window; nothing else is filtered"
        )
    return (SEQUENCE_STAGES if cfg.DATASET.window else STAGES)[cfg.MODEL.name](cfg, mesh_model)
