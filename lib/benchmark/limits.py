"""What no program avoids: operations and bytes through memory of the rows, and the least time that follows.

A phase takes at least as long as its operations at the machine's rate of dense products, and at least as long as its
bytes need; phases follow one another. Left out, and so less than what is really needed: biases and normalisation,
activations, losses, joint regressors, everything that Python does. Counts are those of the published algorithm on
distinct rows: copies of a row, fake vertices in evaluation and multiplied-out Chebyshev polynomials are not counted.

Graph and camera have no limit: building the graph is sorting and looking up, whose least number nobody knows, and the
arithmetic of a fit of three numbers to 17 joints takes microseconds, the rest is the start of operations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from scipy import sparse

from lib.benchmark import models
from lib.benchmark.machine import Rates, type_name
from lib.benchmark.rows import Row
from lib.checkpoints.graphs import configured_graph
from lib.graph.mesh_graph import MeshGraph
from lib.mesh.mesh_model import load_mesh_model
from lib.models.backbones.mesh_levels import level_rows
from lib.models.cpu.chebyshev_mixer import upsampling
from lib.models.cpu.meshnet import gains_by_rounding
from lib.models.mesh_plan import MeshNetPlan
from lib.models.precision import rounding
from lib.settings.setting import FLOAT32

ORDER = 3  # Chebyshev polynomials
NUMBER, POINT = 4, 12  # bytes of a float32, and of three coordinates
TRANSFORM = 12  # numbers of a joint's rotation and translation


@dataclass(frozen=True)
class Phase:
    """Part of a repeat.

    Attributes:
        name: printed nowhere but in the JSON file.
        operations: multiply and add apart, by the name of the factors' type.
        read, written: bytes through memory.
        fixed: seconds that were measured.
    """

    name: str
    operations: dict[str, float] = field(default_factory=dict)
    read: float = 0.0
    written: float = 0.0
    fixed: float = 0.0

    def seconds(self, rates: Rates) -> float:
        """The least time."""
        computing = sum(count / rates.products[name] for name, count in self.operations.items())
        alone = max(self.read - self.written, 0.0)
        moving = alone / rates.reading + (self.read + self.written - alone) / rates.updating
        return max(computing, moving, self.fixed)


@dataclass(frozen=True)
class Types:
    """Types of factors and weights, by their names.

    Attributes:
        large: of graph convolutions that are rounded on a CPU; small: of the others.
        linear: of MeshNet's linear layer; posenet: of PoseNet.
        weight_bytes: of one weight of a linear layer.
    """

    large: str = FLOAT32
    small: str = FLOAT32
    linear: str = FLOAT32
    posenet: str = FLOAT32
    weight_bytes: int = NUMBER

    @classmethod
    def of(cls, precision: str, device: str, training: bool) -> "Types":
        """What ``lib.models.prepare`` and, in training, autocast make of a precision."""
        chosen = rounding(precision, torch.device(device))
        large = type_name(chosen.meshnet)
        rest = FLOAT32 if device == "cpu" else large
        if training:
            return cls(large, rest, rest, large)
        return cls(large, rest, rest, weight_bytes=NUMBER if chosen.posenet is None else chosen.posenet.itemsize)


@dataclass(frozen=True)
class Convolution:
    """A graph convolution's operations for one sample, forwards.

    Attributes:
        dense: of the product with its weights; sums: of the sparse sums, before or behind it, where channels are fewer.
        weights: how many it has.
        large: rounded on a CPU.
    """

    dense: float
    sums: float
    weights: int
    large: bool = False

    @classmethod
    def of(cls, channels: tuple[int, ...], rows: int, entries: int, large: bool = False) -> "Convolution":
        """From the rows of its product and the non-zero entries of all its sparse sums."""
        weights = ORDER * channels[0] * channels[1]
        return cls(2.0 * rows * weights, 2.0 * entries * min(channels), weights, large)


def convolutions(graph: MeshGraph, plan: MeshNetPlan, training: bool) -> list[Convolution]:
    """All of MeshNet's: over real rows, in training over all distinct ones."""
    joint_block, *blocks, output = plan.channels
    entries = (ORDER - 1) * graph.laplacians[-1].count_nonzero()
    found = [Convolution.of(pair, graph.joint_num, entries) for pair in pairwise(joint_block)]
    for level, laplacian, block in zip(level_rows(graph), graph.laplacians[-2::-1], blocks):
        rows = level.position if training else level.position[: level.real]
        operator = sparse.csr_matrix(laplacian[rows][:, rows])
        entries = operator.count_nonzero()
        # the first one's product runs on the coarser level's rows, and its first sum reads these
        entering = operator if level.parent is None else operator @ upsampling(level.parent[: len(rows)])
        read, both = entering.shape[1], entering.count_nonzero() + (ORDER - 2) * entries
        for pair in pairwise(block):
            found.append(Convolution.of(pair, read, both, gains_by_rounding(level.real, *pair)))
            read, both = len(rows), (ORDER - 1) * entries
    found += [Convolution.of(pair, read, both) for pair in pairwise(output[:-1])]
    real = operator[: level.real, : level.real].count_nonzero()  # no statistics are taken after the last layer
    return [*found, Convolution.of(output[-2:], level.real, (ORDER - 1) * real)]


def posenet_weights(joints: int, width: int, stages: int) -> tuple[int, int]:
    """Weights of PoseNet's linear layers: of the first one, of all."""
    return 2 * joints * width, 2 * joints * width + 2 * stages * width**2 + 3 * joints * width


def linear_phases(
    name: str, batch: int, weights: int, kind: str, size: int = NUMBER, training: bool = False, first: int = 0
) -> list[Phase]:
    """Linear layers: weights come from memory in every pass; ``first`` of them need no gradient of their input."""
    operations = 2.0 * batch * weights
    phases = [Phase(name, {kind: operations}, read=size * weights)]
    if training:
        others = weights - first
        phases.append(Phase(f"{name}, gradients of inputs", {kind: 2.0 * batch * others}, read=size * others))
        phases.append(Phase(f"{name}, gradients of weights", {kind: operations}, written=NUMBER * weights))
    return phases


def meshnet_weights(graph: MeshGraph, plan: MeshNetPlan, training: bool) -> tuple[int, int]:
    """Weights of MeshNet: of its linear layer, whose output are the coarsest rows, of all graph convolutions."""
    coarsest = level_rows(graph)[0]
    nodes = len(coarsest.position) if training else coarsest.real
    linear = graph.joint_num * plan.channels[0][-1] * nodes * plan.channels[1][0]
    return linear, sum(layer.weights for layer in convolutions(graph, plan, training))


def meshnet_phases(graph: MeshGraph, plan: MeshNetPlan, batch: int, types: Types, training: bool) -> list[Phase]:
    """Linear layer, dense products, sparse sums."""
    weights, _ = meshnet_weights(graph, plan, training)
    phases = linear_phases("linear layer", batch, weights, types.linear, types.weight_bytes, training)
    dense, sums = {types.large: 0.0, types.small: 0.0}, 0.0
    for number, layer in enumerate(convolutions(graph, plan, training)):
        # gradients of weights and input; the joints, which the first layer reads, need none
        products, passes = (3, 2) if number else (2, 1)
        dense[types.large if layer.large else types.small] += batch * layer.dense * (products if training else 1)
        sums += batch * layer.sums * (passes if training else 1)
    dense = {name: count for name, count in dense.items() if count}
    return [*phases, Phase("dense products", dense), Phase("sparse sums", {FLOAT32: sums})]


def optimiser_phase(parameters: int) -> Phase:
    """RMSprop reads parameters, gradients and mean squares, and writes parameters and mean squares."""
    return Phase("optimiser", read=3 * NUMBER * parameters, written=2 * NUMBER * parameters)


def posing_phase(items: int, vertices: int, blend_entries: int, skin_entries: int) -> Phase:
    """Skinned meshes: from the entries that are not zero of the blend shapes and of the joint weights."""
    # a weighted transform for each vertex, of which 9 numbers multiply the vertex
    operations = 2.0 * items * (blend_entries + TRANSFORM * skin_entries + 9 * vertices)
    return Phase("posing", {FLOAT32: operations}, written=POINT * items * vertices)


def _network(batch: int, precision: str, device: str, parts: Sequence[str], training: bool) -> list[Phase]:
    """Networks of the benchmark."""
    types, cfg, graph, plan = Types.of(precision, device, training), models.config(), models.graph(), models.our_plan()
    phases, parameters = [], 0
    if "posenet" in parts:
        first, parameters = posenet_weights(graph.joint_num, cfg.MODEL.posenet_width, cfg.MODEL.posenet_stages)
        phases = linear_phases("PoseNet", batch, parameters, types.posenet, types.weight_bytes, training, first)
    if "meshnet" in parts:
        phases += meshnet_phases(graph, plan, batch, types, training)
        parameters += sum(meshnet_weights(graph, plan, training))
    return [*phases, optimiser_phase(parameters)] if training else phases


def _inference(device: str, batch: int, part: str = "", precision: str = FLOAT32, graph: bool = False) -> list[Phase]:
    return _network(batch, precision, device, [part] if part else ("posenet", "meshnet"), training=False)


def _training(device: str, batch: int, precision: str = FLOAT32) -> list[Phase]:
    return _network(batch, precision, device, ("posenet", "meshnet"), training=True)


def _open_training(device: str, batch: int) -> list[Phase]:
    """Settings of the shipped weights: PoseNet is frozen, a base is trained beside MeshNet."""
    cfg = models.open_config()
    body = load_mesh_model("body", cfg.MODEL.body)
    graph, model = configured_graph(cfg, body), cfg.MODEL
    plan = MeshNetPlan.from_config(model.mesh_channels, "body")
    _, lifting = posenet_weights(graph.joint_num, model.posenet_width, model.posenet_stages)
    phases = linear_phases("PoseNet", batch, lifting, FLOAT32)
    width, components = model.base_width or model.base_components, model.base_components
    first = plan.channels[0][0] * graph.joint_num * width
    base = first + components * 3 * body.vertex_num
    if model.base_width:
        base += 2 * model.base_stages * width**2 + width * components
    phases += linear_phases("base", batch, base, FLOAT32, training=True, first=first)
    phases += meshnet_phases(graph, plan, batch, Types(), training=True)
    return [*phases, optimiser_phase(base + sum(meshnet_weights(graph, plan, training=True)))]


def _posenet(device: str, batch: int) -> list[Phase]:
    return _network(batch, FLOAT32, device, ("posenet",), training=True)


def _data(_device: str, items: int) -> list[Phase]:
    params = models.mesh_model().params()
    blend, skin = (int(torch.count_nonzero(values)) for values in (params.blend[..., 1:], params.weights))
    return [posing_phase(items, params.vertex_num, blend, skin)]


def _evaluation(_device: str, samples: int) -> list[Phase]:
    return [Phase("prediction and truth", read=2 * POINT * samples * models.mesh_model().vertex_num)]


def _demo(device: str) -> list[Phase]:
    return [Phase("weights", read=sum(phase.read for phase in _inference(device, 1)))]


_PHASES: dict[str, Callable[..., list[Phase]]] = {
    "inference": _inference,
    "training": _training,
    "open_training": _open_training,
    "posenet": _posenet,
    "data": _data,
    "evaluation": _evaluation,
    "demo": _demo,
}


def has_limit(row: Row) -> bool:
    """Whether anything of a row can be counted."""
    return row.case in _PHASES


def row_phases(row: Row, quick: bool, device: str) -> list[Phase]:
    """Phases of one repeat of ours, but for the start of a process; none: no limit is given."""
    return _PHASES[row.case](device, **row.arguments("ours", quick)) if has_limit(row) else []
