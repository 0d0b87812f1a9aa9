"""AMASS motion seen by the four Human3.6M cameras (training only).

Files: ``data/AMASS/data/<subset>/<subject>/*_poses.npz``. Protocol of the original release: Pose2Mesh trains on the
subsets named CMU, PoseNet on CMU and BML; every 60th frame of CMU, every 10th of MPI_mosh, BMLrub and BMLmovi, every
5th of others; each frame gives one sample per camera; the neutral body whatever the gender; no clamp of betas.
"""

import numpy as np
import torch
from tqdm import tqdm

from data.amass_files import find_motion, read_motion
from data.base import PoseDataset
from lib import ROOT
from lib.core.config import Config

# world-to-camera rotations of Human3.6M's cameras (z up world, y down camera)
CAMERAS = np.array(
    [
        [
            [-0.9153617, 0.40180838, 0.02574755],
            [0.05154812, 0.18037356, -0.9822465],
            [-0.39931902, -0.89778364, -0.18581952],
        ],
        [
            [0.92816836, 0.37215385, 0.00224838],
            [0.08166409, -0.1977723, -0.9768404],
            [-0.36309022, 0.9068559, -0.2139576],
        ],
        [
            [-0.91415495, -0.40277803, -0.04572295],
            [-0.04562341, 0.2143085, -0.97569996],
            [0.4027893, -0.8898549, -0.21428728],
        ],
        [
            [0.91415626, -0.40060705, 0.06190599],
            [-0.05641001, -0.2769532, -0.9592262],
            [0.40141782, 0.8733905, -0.27577674],
        ],
    ],
    dtype=np.float32,
)
TRANS = (0.0, 0.0, 10.0)  # metres, camera frame
FOCAL = (1500.0, 1500.0)
PRINCPT = (500.0, 500.0)

SUBSETS = {"pose2mesh_net": ("CMU",), "posenet": ("CMU", "BML")}
FRAME_STEP = {"cmu": 60, "mpi_mosh": 10, "bmlrub": 10, "bmlmovi": 10}
OTHER_STEP = 5


class AMASS(PoseDataset):
    """Four views of each kept frame; item 4·n + c is frame n in camera c."""

    name = "AMASS"

    def __init__(self, mode: str, cfg: Config, model=None, debug: bool = False, seed: int = 0):
        if mode != "train":
            raise ValueError("AMASS has no test split here: it can only stand in DATASET.train_list")
        super().__init__(mode, cfg, model, debug, seed)
        self.poses, self.betas = self._load()

    def _load(self) -> tuple[np.ndarray, np.ndarray]:
        root = ROOT / "data" / "AMASS" / "data"
        subsets = sorted(folder for folder in root.glob("*") if folder.is_dir())
        wanted = SUBSETS[self.cfg.MODEL.name]
        kept = [folder for folder in subsets if any(key in folder.name for key in wanted)]
        if not kept:
            found = ", ".join(folder.name for folder in subsets) or "nothing"
            raise FileNotFoundError(
                f"no AMASS subset named {' or '.join(wanted)} in {root} (found {found}; names are case sensitive); "
                "data/README.md says where to get AMASS, or how to convert CMU clips"
            )
        poses, betas = [], []
        for folder in kept:
            step = FRAME_STEP.get(folder.name.lower(), OTHER_STEP)
            files = find_motion(folder)
            if self.debug and files:
                files = [path for path in files if path.parent == files[0].parent]
            for path in tqdm(files, desc=f"AMASS {folder.name}", leave=False):
                motion = read_motion(path, step)
                poses.append(motion.poses)
                betas.append(np.broadcast_to(motion.betas, (len(motion.poses), len(motion.betas))))
        if not poses:
            raise ValueError(f"no *_poses.npz file below {', '.join(str(folder) for folder in kept)}")
        return np.concatenate(poses), np.concatenate(betas)

    def __len__(self) -> int:
        return len(CAMERAS) * len(self.poses)

    def rows(self, indices: np.ndarray, generator: torch.Generator) -> dict[str, torch.Tensor]:
        frames, cameras = np.divmod(indices, len(CAMERAS))
        count = len(indices)
        return {
            "pose": torch.from_numpy(self.poses[frames]),
            "betas": torch.from_numpy(self.betas[frames]),
            "cam_R": torch.from_numpy(CAMERAS[cameras]),
            "trans": torch.tensor(TRANS).expand(count, -1),
            "focal": torch.tensor(FOCAL).expand(count, -1),
            "princpt": torch.tensor(PRINCPT).expand(count, -1),
        }
