"""What every learned model must beat, tested by the very same test: mean, linear map, nearest training sample.

Each is fitted on samples of the configured training set and then stands in for the network.
"""

import torch

from lib.core.base import Options, build_dataset
from lib.datasets.loader import BatchLoader
from lib.settings.config import Config

FIT_SAMPLES = 20000
RIDGE = 1e-3


class Baseline(torch.nn.Module):
    """Maps the standardised 2D pose to targets; the interface of PoseNet or Pose2Mesh, whichever the stage is.

    Args:
        with_mesh: act as Pose2Mesh (returns mesh and pose) instead of PoseNet (returns the flattened pose).
    """

    def __init__(self, with_mesh: bool):
        super().__init__()
        self.with_mesh = with_mesh

    def fit(self, pose2d: torch.Tensor, target: torch.Tensor) -> None:
        """pose2d (N, 2J), target (N, D)."""
        raise NotImplementedError

    def predict(self, pose2d: torch.Tensor) -> torch.Tensor:
        """(B, 2J) -> (B, D)."""
        raise NotImplementedError

    def forward(self, pose2d: torch.Tensor):
        predicted = self.predict(pose2d.flatten(1))
        if not self.with_mesh:
            return predicted
        return predicted.view(len(pose2d), -1, 3), None


class Mean(Baseline):
    """The mean training target, whatever the input."""

    def fit(self, pose2d, target):
        self.register_buffer("mean", target.mean(dim=0))

    def predict(self, pose2d):
        return self.mean.expand(len(pose2d), -1)


class Linear(Baseline):
    """Ridge regression from the 2D pose."""

    @staticmethod
    def _features(pose2d):
        return torch.cat([pose2d, torch.ones_like(pose2d[:, :1])], dim=1)

    def fit(self, pose2d, target):
        features = self._features(pose2d)
        gram = features.T @ features + RIDGE * len(features) * torch.eye(features.shape[1])
        self.register_buffer("weight", torch.linalg.solve(gram, features.T @ target))

    def predict(self, pose2d):
        return self._features(pose2d) @ self.weight


class Nearest(Baseline):
    """The target of the training sample whose 2D pose is nearest."""

    def fit(self, pose2d, target):
        self.register_buffer("pose2d", pose2d)
        self.register_buffer("target", target)

    def predict(self, pose2d):
        return self.target[torch.cdist(pose2d, self.pose2d).argmin(dim=1)]


BASELINES = {"mean": Mean, "linear": Linear, "nearest": Nearest}


def fit_baseline(name: str, cfg: Config, options: Options) -> Baseline:
    """Fit a baseline on ``FIT_SAMPLES`` samples of the training set (test-time 2D errors included)."""
    dataset = build_dataset(cfg, options, "train")
    loader = BatchLoader(dataset, cfg.TEST.batch_size, shuffle=True, seed=options.seed)
    with_mesh = cfg.MODEL.with_mesh
    target = "mesh" if with_mesh else "lift_pose3d"
    inputs, targets, count = [], [], 0
    for batch in loader.epoch(1):
        inputs.append(batch.inputs["pose2d"].flatten(1))
        targets.append(batch.targets[target].flatten(1))
        count += len(inputs[-1])
        if count >= FIT_SAMPLES:
            break
    baseline = BASELINES[name](with_mesh)
    baseline.fit(torch.cat(inputs), torch.cat(targets))
    return baseline
