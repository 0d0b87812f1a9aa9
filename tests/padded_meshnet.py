"""Plain MeshNet on the full padded graph: the slow obvious version that the network is checked against."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def padded_meshnet(graph, plan, state: dict[str, Tensor], joints: Tensor, training: bool):
    """Every padded row is computed, batch-major, with dense Laplacians and stacked Chebyshev terms.

    Args:
        graph: MeshGraph.
        plan: MeshNetPlan.
        state: weights by state-dict key; running statistics are updated in place when training.
        joints: (B, J, 5).

    Returns:
        (B, padded size, 3) in the graph's row order.
    """
    laplacians = [torch.tensor(L.toarray(), dtype=joints.dtype) for L in graph.laplacians[::-1]]
    blocks = plan.channels
    convolutions = sum(len(block) - 1 for block in blocks)
    layer = 0

    def convolve(x, laplacian):
        nonlocal layer
        batch, vertices, _ = x.shape
        terms = [x, laplacian @ x]
        terms.append(2 * (laplacian @ terms[1]) - x)
        rows = torch.stack(terms, dim=3).reshape(batch * vertices, -1)
        rows = F.linear(rows, state[f"cl.{layer}.weight"], state[f"cl.{layer}.bias"])
        if layer < convolutions - 1:
            norm = {key: state[f"bn.{layer}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")}
            rows = F.relu(F.batch_norm(rows, **norm, training=training))
        layer += 1
        return rows.view(batch, vertices, -1)

    x = joints
    for _ in blocks[0][1:]:
        x = convolve(x, laplacians[0])
    x = F.linear(x.flatten(1), state["fc.weight"], state["fc.bias"]).view(len(joints), -1, blocks[1][0])
    for i, block in enumerate(blocks[1:-1], start=1):
        if i > 1:
            x = x.repeat_interleave(2, dim=1)
        before = x
        for _ in block[1:]:
            x = convolve(x, laplacians[i])
        x = x + F.interpolate(before, size=block[-1], mode="linear", align_corners=False)
    for _ in blocks[-1][1:]:
        x = convolve(x, laplacians[-1])
    return x


def named_weights(state: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Weights drawn from each tensor's own name, so that they do not depend on construction order."""
    from zlib import crc32

    filled = {}
    for name, tensor in state.items():
        random = np.random.RandomState((crc32(name.encode()) ^ seed) & 0xFFFFFFFF)
        shape = tuple(tensor.shape)
        if name.endswith("num_batches_tracked"):
            values = np.zeros(shape)
        elif name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            values = random.uniform(0.5, 1.5, shape)
        elif name.endswith("weight"):
            bound = np.sqrt(2.0 / sum(shape))
            values = random.uniform(-bound, bound, shape)
        else:
            values = random.uniform(-0.1, 0.1, shape)
        filled[name] = torch.from_numpy(np.asarray(values, dtype=np.float32)).to(tensor.dtype)
    return filled
