"""Small networks: their channels, statistics unlike fresh ones, the input that they expect."""

import torch
from torch import Tensor

# channels of a MeshNet as deep as the paper's, for 8 levels of a body and 6 of a hand
BODY_PLAN = [[5, 8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 3]]
HAND_PLAN = [[5, 8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 3]]


def disturbed(network: torch.nn.Module) -> torch.nn.Module:
    """The network in evaluation mode with statistics and scales unlike fresh ones."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.2)
    return network.eval()


def standardised(joint_set, keypoints: Tensor) -> Tensor:
    """Keypoints (B, K, 2) in pixels as a network's input: derived joints added, each axis of mean 0 and deviation 1."""
    full = joint_set.add_derived(keypoints.double())
    return ((full - full.mean(1, keepdim=True)) / full.std(1, keepdim=True, correction=0)).float()
