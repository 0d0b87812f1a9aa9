"""What data sets share: records, batches from rows, single items through the same code, repeatable random streams.

A data set owns all its facts; the classes here have those that hold unless it says otherwise.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from lib import ROOT
from lib.datasets.batch import Batch
from lib.datasets.posed import Posed
from lib.datasets.protocol import Inspection, MeshSamples, NeededFile, Protocol
from lib.datasets.storage.annotations import Detections
from lib.datasets.storage.columns import report_skipped
from lib.datasets.storage.records import PoseRecords, load_records
from lib.datasets.transform import BodyTransform, Sources2D
from lib.evaluation.details import DetailedMeshEvaluator
from lib.evaluation.evaluator import Evaluator
from lib.evaluation.lift import LiftEvaluator
from lib.geometry.crops import BadSamples
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import MeshModel, load_mesh_model
from lib.runtime import distributed
from lib.settings.config import Config

# columns that a batch is made of; the others (names, ids, boxes) are for evaluation and inspection
ROW_COLUMNS = (
    "pose", "betas", "trans", "gender", "cam_R", "cam_t", "focal", "princpt", "weak", "joint_cam", "keypoints",
    "detections",
)  # fmt: skip
MAX_NAMES = 5  # records that an error names


def stream(*keys: int) -> torch.Generator:
    """A generator that depends on its keys alone, so that batches do not depend on workers, resumes or order.

    Args:
        keys: non-negative integers, e.g. (seed, epoch, batch number).
    """
    # the length too: a seed sequence cannot tell (1,) from (1, 0)
    seed = np.random.SeedSequence((len(keys), *keys)).generate_state(2, dtype=np.uint32)
    return torch.Generator().manual_seed(int(seed[0]) << 31 | int(seed[1]) >> 1)


class PoseDataset(Dataset):
    """Base class: a sub-class supplies ``rows`` and ``__len__`` and states its protocol.

    Args:
        mode: one of ``splits``.
        cfg: settings.
        model: mesh model; None loads the configured one.
        debug: use a small part of the data.
        seed: of the random streams.
        root: folder that holds ``data/`` and the licensed body models.

    Attributes:
        name: shown in logs.
        splits: what ``mode`` may be.
        protocol: how samples are made from rows.
        inspection: what its files are checked by; None when there are none.
        mesh_samples: which meshes of a test ``TEST.vis`` writes.
        no_targets: why its targets are dummies, as users are told; empty when they are not.
        records: the parsed annotations; None when there are none.
    """

    name = "dataset"
    splits = ("train", "test")
    protocol = Protocol()
    inspection: Inspection | None = None
    mesh_samples = MeshSamples()
    no_targets = ""
    records: PoseRecords | None = None

    def __init__(
        self,
        mode: str,
        cfg: Config,
        model: MeshModel | None = None,
        debug: bool = False,
        seed: int = 0,
        root: str | Path = ROOT,
    ):
        if mode not in self.splits:
            raise ValueError(f"{self.name} has no split {mode!r} here, only {', '.join(self.splits)}")
        self.mode, self.cfg, self.debug, self.seed, self.root = mode, cfg, debug, seed, Path(root)
        kind = get_joint_set(cfg.DATASET.input_joint_set).body  # that the joint sets belong to
        self.mesh_model = model or load_mesh_model(kind, cfg.MODEL.body, root)
        self.transform: Any = None  # see build_transform

    @property
    def sources(self) -> Sources2D:
        """How 2D inputs are made: from detections, or from projections with or without errors."""
        protocol = self.protocol
        real = protocol.always_detections or not self.cfg.DATASET.use_gt_input
        detections = protocol.train_detections if self.mode == "train" else protocol.test_detections
        return Sources2D(
            noise="errors" if real and not detections else "",
            derive_noisy=self.cfg.DATASET.derive_noisy,
            detections=real and detections,
            loose_box=protocol.loose_noise_box,
            flip_first=protocol.flip_in_crop,
        )

    def __len__(self) -> int:
        raise NotImplementedError

    def rows(self, indices: np.ndarray, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Body parameters and cameras of the samples, see ``BodyTransform.assemble``."""
        raise NotImplementedError

    def finish(self, rows: dict[str, torch.Tensor], generator: torch.Generator, device="cpu") -> Batch:
        """Rows to a batch, on a device.

        Raises:
            ValueError: a sample has no 2D pose that could be used; names its record.
        """
        if self.transform is None or self.transform.device != torch.device(device):
            self.transform = self.build_transform(device)
        try:
            return self.transform(rows, generator, train=self.mode == "train")
        except BadSamples as error:
            samples = rows["sample"].flatten()[error.samples].tolist() if "sample" in rows else error.samples
            samples = list(dict.fromkeys(samples))  # mixing may draw one several times
            names = ", ".join(map(self.record_name, samples[:MAX_NAMES]))
            names += f" and {len(samples) - MAX_NAMES} more" if len(samples) > MAX_NAMES else ""
            raise ValueError(f"{self.name} {self.mode}: {error.reason}: {names}") from error

    def build_transform(self, device) -> Any:
        """What makes batches of rows, on a device: of frames `BodyTransform`, of sequences `SequenceTransform`."""
        return BodyTransform(self.cfg, self.mesh_model, self.sources, device, self.protocol)

    def record_name(self, sample: int) -> str:
        """What a sample is called in messages; see column ``sample`` of ``rows``."""
        return f"sample {sample}"

    def batch(self, indices, generator: torch.Generator, device="cpu") -> Batch:
        """The batch of some samples, in order; the same generator state gives the same batch."""
        return self.finish(self.rows(np.asarray(indices), generator), generator, device)

    def __getitem__(self, index: int):
        """One sample in the form of the original's items: a ``Batch`` without the batch axis, as ``(inputs, targets,
        meta)``; for PoseNet just ``(pose2d, lift_pose3d, lift_pose3d_valid)``.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} samples, asked for {index}")
        index %= len(self)
        batch = self.batch([index], stream(self.seed, 0, index))
        inputs, targets, meta = ({key: value[0] for key, value in part.items()} for part in batch)
        if self.cfg.MODEL.with_mesh:
            return inputs, targets, meta
        return inputs["pose2d"], targets["lift_pose3d"], meta["lift_pose3d_valid"]

    def column(self, name: str) -> np.ndarray:
        """A column of the records that an evaluation needs.

        Raises:
            ValueError: there is none.
        """
        if self.records is None or name not in self.records:
            raise ValueError(f"evaluating {self.name} needs the column {name!r} of its records")
        return self.records[name]

    def evaluator(self, joint_set: JointSet, full: bool = True, regressor: torch.Tensor | None = None) -> Evaluator:
        """What a test on it is scored by.

        Args:
            joint_set: joints of PoseNet; for Pose2Mesh those of the log line.
            full: see ``Evaluator``.
            regressor: (J, V) of ``joint_set``, derived joints included; None for PoseNet.

        Raises:
            ValueError: a column that the evaluation needs is missing.
        """
        if regressor is None:
            return LiftEvaluator(joint_set, full=full)
        input_set = get_joint_set(self.cfg.DATASET.input_joint_set)
        return DetailedMeshEvaluator(joint_set, regressor, self.mesh_model, input_set, full)

    def writers(self, run: Path, regressor: torch.Tensor | None = None) -> Iterable:
        """Writers of what a final test on it leaves in a run folder, see ``lib.evaluation.outputs``.

        Args:
            run: run folder.
            regressor: as for ``evaluator``.
        """
        return ()


class RecordDataset(PoseDataset):
    """Base class of data sets with annotation files: a sub-class says which it needs and parses them.

    ``parse`` runs once; its columns (see ``data/README.md``) are cached and memory-mapped from then on.

    Attributes:
        version: raise it when ``parse`` changes, so that old caches are made anew.
        image_folder: where image names start, relative to ``folder``.
        repeated: samples at the end that repeat the first ones.
    """

    version = 1
    image_folder = ""
    inspection = Inspection()
    repeated = 0
    records: PoseRecords

    def __init__(self, mode: str, cfg: Config, model=None, debug: bool = False, seed: int = 0, root=ROOT):
        super().__init__(mode, cfg, model, debug, seed, root)
        allowed = self.protocol.input_sets
        if allowed and cfg.DATASET.input_joint_set not in allowed:
            own = get_joint_set(cfg.DATASET.input_joint_set).name
            known = ", ".join(allowed)
            raise ValueError(f"{self.name} has no {own} joints as input, only {known} (DATASET.input_joint_set)")
        target = self.protocol.target_set
        if cfg.tests_meshes and target not in ("", cfg.DATASET.target_joint_set):
            raise ValueError(
                f"{self.name} compares meshes by {target} joints: set DATASET.target_joint_set to {target!r}, not "
                f"{get_joint_set(cfg.DATASET.target_joint_set).name!r}"
            )
        self.records = self.load()
        if distributed.is_main():
            report_skipped(f"{self.name} {mode}", len(self), self.skipped())

    def load(self) -> PoseRecords:
        """The parsed annotations, from the cache where there is one."""
        options = {"mode": self.mode, "debug": self.debug, "detections": self.sources.detections, **self.options()}
        return load_records(self.name, self.files(), options, self.version, self.parse, self.cache)

    def skipped(self) -> dict[str, int]:
        """Counts of what was left out, by reason."""
        return self.records.notes

    @property
    def cache(self) -> Path | None:
        """Folder of all caches; None without one."""
        return self.root / self.cfg.DATASET.cache if self.cfg.DATASET.cache else None

    @property
    def folder(self) -> Path:
        """``data/<name>`` below the root."""
        return self.root / "data" / self.name

    def options(self) -> dict:
        """Settings beside split, debug and use of detections that change what ``parse`` returns."""
        return {}

    @classmethod
    def needed_files(cls, split: str, root: Path) -> list[NeededFile]:
        """The files of a split, in ``data/<name>`` below the root, with where each comes from."""
        raise NotImplementedError

    def files(self) -> list[Path]:
        """The files that ``parse`` reads: those needed, detections only where they are the input."""
        needed = self.needed_files(self.mode, self.root)
        return [file.path for file in needed if file.holds != "detections" or self.sources.detections]

    def detected(self, detections: Detections, keys: Sequence) -> np.ndarray:
        """Column ``detections`` of a parser: (N, J, 2) of the keys of N records."""
        return detections.of(keys)

    def parse(self) -> tuple[dict[str, np.ndarray], dict[str, int]]:
        """Read ``files``: columns of equal length, and counts of left-out records by reason."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.records.count

    def rows(self, indices: np.ndarray, generator: torch.Generator) -> dict[str, torch.Tensor]:
        rows = {key: torch.from_numpy(self.records[key][indices]) for key in ROW_COLUMNS if key in self.records}
        return rows | {"sample": torch.as_tensor(indices)}

    def record_name(self, sample: int) -> str:
        if "image" not in self.records:
            return f"record {sample} of {self.folder}"
        image = self.records["image"][sample].decode()
        return f"annotation {self.records['annotation_id'][sample]} ({self.folder / self.image_folder / image})"

    def sort_keys(self) -> dict[str, np.ndarray]:
        """What records are sorted by, most significant first, by what it is called; nothing for the files' order."""
        return {}

    def annotation(self, posed: Posed, places: np.ndarray) -> dict | None:
        """Annotated joints, for ``data/verify.py``; training need not read them.

        Args:
            posed: bodies of N samples.
            places: (N,) their records.

        Returns:
            None when the format has no such joints, otherwise what the files have of: ``truth`` (N, J, 3) mm, camera
            frame, joints of ``inspection``; ``truth_image`` (N, J, 2) px, where it is not the projection of ``truth``;
            ``valid`` (N, J), where not all are. ``placed`` False says that the fits are elsewhere; ``fit`` and
            ``fit_image`` are fits with joints in the place of ``truth`` then.
        """
        return None
