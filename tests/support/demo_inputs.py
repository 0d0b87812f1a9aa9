"""Inputs of the demo: its sample poses, and weights of narrow random networks."""

from pathlib import Path

import numpy as np
import torch

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import save_checkpoint
from lib.demo import sample_pose_path
from lib.graph.mesh_graph import MeshGraph
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import load_mesh_model
from lib.models.pose2mesh_net import build_pose2mesh
from lib.settings.config import Config


def write_weights(path: Path, joint_set: str, body: str, levels: int = 6) -> Path:
    """A checkpoint of a narrow network with random weights."""
    torch.manual_seed(0)
    cfg = Config()
    cfg = cfg.changed(DATASET={"input_joint_set": joint_set, "target_joint_set": joint_set})
    cfg = cfg.changed(MODEL={"body": body, "posenet_width": 16})
    cfg = cfg.changed(MODEL={"mesh_channels": [[5, 8], *([[8, 8]] * (levels - 1)), [8, 3]]})
    kind = get_joint_set(joint_set)
    graph = MeshGraph.build(load_mesh_model(kind.body, body).faces, kind, levels)
    save_checkpoint(path, Checkpoint.of(build_pose2mesh(cfg, graph), epoch=1, graph=graph, settings=cfg))
    return path


def sample(joint_set: str = "coco") -> np.ndarray:
    return np.load(sample_pose_path(joint_set))
