"""Channels of MeshNet's convolutions.

Source: Pose2Mesh (ECCV 2020), section 5 and supplementary material.
"""

from collections.abc import Sequence
from dataclasses import dataclass

PAPER_CHANNELS = {
    "body": (
        (5, 32, 64, 64),  # joint graph
        (64, 128, 256),
        (256, 256, 256),
        (256, 256, 256),
        (256, 256, 256),
        (256, 256, 256),
        (256, 128, 128),
        (128, 128, 128),
        (128, 128, 128),
        (128, 64, 3),
    ),
    "hand": (
        (5, 32, 64, 64),  # joint graph
        (64, 128, 256),
        (256, 256, 256),
        (256, 256, 256),
        (256, 256, 256),
        (256, 128, 128),
        (128, 64, 3),
    ),
}


@dataclass(frozen=True)
class MeshNetPlan:
    """Channels through the successive convolutions of each block.

    Block 0 works on the joint graph, blocks 1 ... n - 2 on the mesh levels from coarse to fine, block n - 1 again on
    the finest level.

    Raises:
        ValueError: fewer than 3 blocks, a block without a convolution, a channel count below 1, or a block that does
            not start with the channels the previous one ends with.
    """

    channels: tuple[tuple[int, ...], ...]

    def __post_init__(self):
        object.__setattr__(self, "channels", tuple(tuple(block) for block in self.channels))
        if len(self.channels) < 3:
            raise ValueError(f"a MeshNet plan needs at least 3 blocks (joints, mesh, output), got {len(self.channels)}")
        for i, block in enumerate(self.channels):
            if len(block) < 2 or min(block) < 1:
                raise ValueError(f"MeshNet block {i} needs two or more positive channel counts, got {list(block)}")
            if i and block[0] != self.channels[i - 1][-1]:
                raise ValueError(
                    f"MeshNet block {i} starts with {block[0]} channels, but block {i - 1} ends with "
                    f"{self.channels[i - 1][-1]}"
                )

    @classmethod
    def paper(cls, kind: str) -> "MeshNetPlan":
        """The published plan for a ``body`` (8 mesh levels in use) or a ``hand`` (5)."""
        if kind not in PAPER_CHANNELS:
            raise ValueError(f"there are MeshNet plans for {' and '.join(PAPER_CHANNELS)}, not for {kind!r}")
        return cls(PAPER_CHANNELS[kind])

    @classmethod
    def from_config(cls, mesh_channels: Sequence[Sequence[int]], kind: str) -> "MeshNetPlan":
        """``MODEL.mesh_channels`` of a configuration, or the published plan of ``kind`` when it is empty."""
        return cls(tuple(map(tuple, mesh_channels))) if mesh_channels else cls.paper(kind)

    def check(self, mesh_levels: int, joint_channels: int, out_channels: int) -> None:
        """Raises ValueError unless the plan is for so many mesh levels in use, and channels per joint and vertex."""
        if len(self.channels) != mesh_levels + 2:
            raise ValueError(
                f"the MeshNet plan has {len(self.channels)} blocks, but a graph with {mesh_levels} mesh levels in use "
                f"needs {mesh_levels + 2}: one for the joints, one per mesh level, one for the output "
                "(MODEL.mesh_channels and MODEL.graph_levels must fit together)"
            )
        first, last = self.channels[0][0], self.channels[-1][-1]
        if (first, last) != (joint_channels, out_channels):
            wanted = f"wanted {joint_channels} to {out_channels}"
            raise ValueError(f"the MeshNet plan maps {first} to {last} channels, {wanted}")
