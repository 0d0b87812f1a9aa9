"""The one form of a batch, from the data sets through loader and stages to evaluation."""

from typing import NamedTuple

import torch


class Batch(NamedTuple):
    """Some samples, of either stage: B of them, J input joints, Jt target joints, V vertices; float32, on one device.

    Attributes:
        inputs: ``pose2d`` (B, J, 2), cropped and standardised, without unit (``lib.geometry.crops.standardise``).
        targets: ``lift_pose3d`` (B, J, 3), the input joints in mm relative to their root. Where a mesh is made
            (``ModelConfig.with_mesh``) also ``mesh`` (B, V, 3) in metres, relative to the root of the target joints
            (``BodyTransform.root_set``), and ``reg_pose3d`` (B, Jt, 3), the target joints in mm relative to their root.
        meta: for each target ``<target>_valid`` (B, N, 1), 1 where it supervises, else 0. With ``TEST.mesh: refined``
            also ``rays`` (B, J, 2), where a perspective camera sees the joints of the input: x/z and y/z.
    """

    inputs: dict[str, torch.Tensor]
    targets: dict[str, torch.Tensor]
    meta: dict[str, torch.Tensor]

    @classmethod
    def joined(cls, batches: "list[Batch]") -> "Batch":
        """The samples of all, in order; entries that only some have are left out."""
        return cls(*(_joined(parts) for parts in zip(*batches, strict=True)))

    def samples(self, chosen: slice | torch.Tensor) -> "Batch":
        """Some samples, or all in another order."""
        return Batch(*({key: value[chosen] for key, value in part.items()} for part in self))

    def to(self, device: torch.device | str) -> "Batch":
        """On another device."""
        return Batch(*({key: value.to(device) for key, value in part.items()} for part in self))


def _joined(parts: tuple[dict[str, torch.Tensor], ...]) -> dict[str, torch.Tensor]:
    shared = [key for key in parts[0] if all(key in part for part in parts)]
    return {key: torch.cat([part[key] for part in parts]) for key in shared}
