"""Weights for the demo's row: random ones whose mesh has roughly a body's shape, so that drawing it costs what it does.

The mesh of random weights alone is a tangle of large triangles, which takes ten times longer to draw than a person.
"""

import numpy as np
import torch

from lib.benchmark import models
from lib.models.pose2mesh_net import Pose2Mesh

_SHARE = 0.002  # of the random part in each block's output
_OFFSET = 5.0  # metres; keeps coordinates positive, which ReLU passes


@torch.no_grad()
def shape_as_body(network: Pose2Mesh) -> Pose2Mesh:
    """Give a random network a body at its coarsest level, which the blocks' residual connections carry to the vertices.

    Sizes of layers stay what they are, and everything is computed as with any other weights.
    """
    net, blocks = network.pose2mesh, models.our_plan().channels
    template = models.mesh_model().arrays()["v_template"] * np.array([1, -1, -1])
    graph = models.graph()
    rows = graph.laplacians[-2].shape[0]
    coarse = np.asarray(graph.reverse) // (graph.laplacians[0].shape[0] // rows)
    count = np.bincount(coarse, minlength=rows)
    places = np.stack([np.bincount(coarse, axis, rows) / np.maximum(count, 1) for axis in template.T], axis=1)

    # x in the first third of the channels, y in the second, z in the last: resizing the channels keeps the middles
    axis = torch.arange(blocks[1][0]) * 3 // blocks[1][0]
    net.fc.weight.mul_(_SHARE)
    net.fc.bias.copy_((torch.from_numpy(places)[:, axis] + _OFFSET).reshape(-1))
    ends = np.cumsum([len(block) - 1 for block in blocks]) - 1  # last layer of each block
    for layer in ends[1:-1]:
        net.bn[layer].weight.mul_(_SHARE)
        net.bn[layer].bias.mul_(_SHARE)
    # the last block has no residual connection: its two layers hand the middles on
    first, last = net.cl[ends[-1] - 1], net.cl[ends[-1]]
    middles = [blocks[-1][0] * part // 6 for part in (1, 3, 5)]
    for linear, sources in ((first, middles), (last, range(3))):
        linear.weight[:3] = 0
        linear.bias[:3] = 0
        linear.weight[range(3), [3 * source for source in sources]] = 1  # of the three terms of a channel, the identity
    last.bias[:3] = -_OFFSET
    norm = net.bn[ends[-1] - 1]
    norm.running_mean[:3], norm.bias[:3] = 0, 0
    norm.running_var[:3], norm.weight[:3] = 1, 1
    return network
