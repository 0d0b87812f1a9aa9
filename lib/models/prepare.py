"""Networks made ready for many predictions with the weights as they are."""

from torch import nn

from lib.models.cpu.dense import Linear
from lib.models.meshnet import MeshNet
from lib.models.precision import rounding
from lib.settings.setting import FLOAT32

LARGE = 2**20  # weights of a layer from which reading them takes the time


def prepare(network: nn.Module, precision: str = FLOAT32) -> None:
    """Do what depends on the weights of a network in evaluation alone once; training, loading and moving undo it.

    Args:
        network: Pose2Mesh, PoseNet or another module; what has nothing to prepare stays as it is.
        precision: of products, one of ``lib.settings.setting.PRECISIONS``.

    Raises:
        ValueError: see ``lib.models.precision.rounding``.
    """
    device = next((tensor.device for tensor in network.parameters()), None)
    if device is None:
        return
    types = rounding(precision, device)
    for module in network.modules():
        if isinstance(module, MeshNet):
            module.prepare(types.meshnet)
        elif isinstance(module, Linear) and module.weight.numel() >= LARGE:
            module.prepare(types.posenet)
