"""AMASS motion seen by the four Human3.6M cameras (training only).

Files: ``data/AMASS/data/<subset>/<subject>/*_poses.npz``. Protocol of the original release: Pose2Mesh trains on the
subsets named CMU, PoseNet on CMU and BML; every 60th frame of CMU, every 10th of MPI_mosh, BMLrub and BMLmovi, every
5th of others; each frame gives one sample per camera; the neutral body whatever the gender; no clamp of betas.
"""

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import Inspection, NeededFile, Protocol
from lib.datasets.storage.motion_files import find_motion, read_motion

# world-to-camera rotations of Human3.6M's cameras (z up world, y down camera), three rows each
CAMERAS = np.array(
    [
        [-0.9153617, 0.40180838, 0.02574755],
        [0.05154812, 0.18037356, -0.9822465],
        [-0.39931902, -0.89778364, -0.18581952],
        [0.92816836, 0.37215385, 0.00224838],
        [0.08166409, -0.1977723, -0.9768404],
        [-0.36309022, 0.9068559, -0.2139576],
        [-0.91415495, -0.40277803, -0.04572295],
        [-0.04562341, 0.2143085, -0.97569996],
        [0.4027893, -0.8898549, -0.21428728],
        [0.91415626, -0.40060705, 0.06190599],
        [-0.05641001, -0.2769532, -0.9592262],
        [0.40141782, 0.8733905, -0.27577674],
    ],
    dtype=np.float32,
).reshape(4, 3, 3)
TRANS = (0.0, 0.0, 10.0)  # metres, camera frame
FOCAL = (1500.0, 1500.0)
PRINCPT = (500.0, 500.0)

MESH_SUBSETS, SUBSETS = ("CMU",), ("CMU", "BML")  # of Pose2Mesh, of PoseNet
FRAME_STEP = {"cmu": 60, "mpi_mosh": 10, "bmlrub": 10, "bmlmovi": 10}
OTHER_STEP = 5
SITE = "get it from https://amass.is.tue.mpg.de (SMPL+H G files), or convert CMU clips with data/convert/cmu_bvh.py"
HANDS = slice(66, 72)  # of SMPL; the files hold left finger joints of SMPL+H there (see ``read_motion``)


class AMASS(RecordDataset):
    """Four views of each kept frame; item 4·n + c is frame n in camera c."""

    name = "AMASS"
    splits = ("train",)
    protocol = Protocol(input_sets=("human36", "coco", "smpl"))
    # PoseNet's has one subset more
    inspection = Inspection("data/**/*_poses.npz", settings={"MODEL": {"name": "posenet"}})

    @property
    def _wanted(self) -> tuple[str, ...]:
        return MESH_SUBSETS if self.cfg.MODEL.with_mesh else SUBSETS

    def options(self) -> dict:
        return {"subsets": self._wanted}

    def _subsets(self) -> list[Path]:
        """Folders of the wanted subsets.

        Raises:
            FileNotFoundError: none.
        """
        root = self.folder / "data"
        found = sorted(folder for folder in root.glob("*") if folder.is_dir())
        wanted = self._wanted
        kept = [folder for folder in found if any(key in folder.name for key in wanted)]
        if not kept:
            names = ", ".join(folder.name for folder in found) or "nothing"
            raise FileNotFoundError(
                f"no AMASS subset named {' or '.join(wanted)} in {root} (found {names}; names are case sensitive); "
                "data/README.md says where to get AMASS, or how to convert CMU clips"
            )
        return kept

    @classmethod
    def needed_files(cls, split, root):
        """The clips that are there, or their pattern when there are none."""
        folder = root / "data" / cls.name / "data"
        wanted = [path for path in sorted(folder.glob("*")) if any(key in path.name for key in SUBSETS)]
        clips = [clip for subset in wanted for clip in find_motion(subset)]
        return [NeededFile(clip, "annotations", SITE) for clip in clips or [folder / "CMU/*/*_poses.npz"]]

    def files(self) -> list[Path]:
        files = []
        for folder in self._subsets():
            clips = find_motion(folder)
            files += [path for path in clips if not self.debug or path.parent == clips[0].parent]
        if not files:
            raise FileNotFoundError(f"no *_poses.npz file below {', '.join(map(str, self._subsets()))}")
        return files

    def parse(self):
        root, poses, betas, empty = self.folder / "data", [], [], 0
        for path in tqdm(self.files(), desc="AMASS", leave=False):
            subset = path.relative_to(root).parts[0]
            motion = read_motion(path, FRAME_STEP.get(subset.lower(), OTHER_STEP))
            if not len(motion.poses):
                empty += 1
            poses.append(motion.poses)
            betas.append(np.broadcast_to(motion.betas, (len(motion.poses), len(motion.betas))))
        if empty == len(poses):
            raise ValueError(f"{root}: no sample is left (left out: {empty} clips without frames); see data/README.md")
        columns = {"pose": np.concatenate(poses), "betas": np.concatenate(betas)}
        return columns, {"clip(s) without frames": empty} if empty else {}

    def __len__(self) -> int:
        return len(CAMERAS) * self.records.count

    def rows(self, indices: np.ndarray, generator: torch.Generator) -> dict[str, torch.Tensor]:
        frames, cameras = np.divmod(indices, len(CAMERAS))
        rows, count = super().rows(frames, generator), len(indices)
        if self.cfg.DATASET.zero_hands:
            rows["pose"][:, HANDS] = 0
        return rows | {
            "cam_R": torch.from_numpy(CAMERAS[cameras]),
            "trans": torch.tensor(TRANS).expand(count, -1),
            "focal": torch.tensor(FOCAL).expand(count, -1),
            "princpt": torch.tensor(PRINCPT).expand(count, -1),
        }
