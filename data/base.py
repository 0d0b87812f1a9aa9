"""What data sets share: batches from rows, single items through the same code, deterministic random streams."""

import numpy as np
import torch
from torch.utils.data import Dataset

from lib.core.config import Config
from lib.joint_sets import get_joint_set
from lib.mesh_model import MeshModel, load_mesh_model

from .transform import BodyTransform, Sources2D


def stream(*keys: int) -> torch.Generator:
    """A generator that depends on its keys alone, so that batches do not depend on workers, resumes or order.

    Args:
        keys: non-negative integers, e.g. (seed, epoch, batch number).
    """
    # the length too: a seed sequence cannot tell (1,) from (1, 0)
    seed = np.random.SeedSequence((len(keys), *keys)).generate_state(2, dtype=np.uint32)
    return torch.Generator().manual_seed(int(seed[0]) << 31 | int(seed[1]) >> 1)


def mesh_model_for(cfg: Config) -> MeshModel:
    """The mesh model of a configuration: ``MODEL.body`` for the kind that the joint sets belong to."""
    kind = get_joint_set(cfg.DATASET.input_joint_set).body
    return load_mesh_model(kind, cfg.MODEL.body)


class PoseDataset(Dataset):
    """Base class: a sub-class supplies ``rows`` and ``__len__`` and states its protocol.

    Args:
        mode: ``train`` or ``test``.
        cfg: settings.
        model: mesh model; None loads the configured one.
        debug: use a small part of the data.

    Attributes:
        name: shown in logs.
        sources: how 2D inputs are made, see ``Sources2D``.
    """

    name = "dataset"

    def __init__(self, mode: str, cfg: Config, model: MeshModel | None = None, debug: bool = False, seed: int = 0):
        if mode not in ("train", "test"):
            raise ValueError(f"mode must be 'train' or 'test', got {mode!r}")
        self.mode = mode
        self.cfg = cfg
        self.debug = debug
        self.seed = seed
        self.mesh_model = model or mesh_model_for(cfg)
        self.transform: BodyTransform | None = None

    @property
    def sources(self) -> Sources2D:
        return Sources2D(noise="" if self.cfg.DATASET.use_gt_input else "errors")

    def rows(self, indices: np.ndarray, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Body parameters and cameras of the samples, see ``BodyTransform.__call__``."""
        raise NotImplementedError

    def finish(self, rows: dict[str, torch.Tensor], generator: torch.Generator, device="cpu"):
        """Rows to a batch, on a device."""
        if self.transform is None or self.transform.device != torch.device(device):
            self.transform = BodyTransform(self.cfg, self.mesh_model, self.sources, device)
        return self.transform(rows, generator, train=self.mode == "train")

    def batch(self, indices, generator: torch.Generator, device="cpu"):
        """The batch of some samples, in order; the same generator state gives the same batch."""
        return self.finish(self.rows(np.asarray(indices), generator), generator, device)

    def __getitem__(self, index: int):
        """One sample, shaped as in ``BodyTransform.__call__`` without the batch axis."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} samples, asked for {index}")
        index %= len(self)
        parts = self.batch([index], stream(self.seed, 0, index))
        return tuple({k: v[0] for k, v in part.items()} if isinstance(part, dict) else part[0] for part in parts)
