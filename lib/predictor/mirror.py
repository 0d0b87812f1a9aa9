"""Left hands: the networks and models are of right ones, so left ones are mirrored, lifted, and mirrored back.

What holds of a left hand's parameters: mirrored (``lib.geometry.mirror.mirror_pose``, and x of ``trans``) they are
those of the model's surface whose mirror image the mesh is. So they are parameters of the model mirrored at x = 0.
MANO's file of left hands is a model of its own: poses carry over, shapes (``betas``) do not.
"""

import torch

from lib.geometry.mirror import mirror_boxes, mirror_points, mirror_pose

from .surfaces import Circumstances


class Mirror:
    """Mirrors the left hands among B people at the middle of their picture, so that the camera stays where it is.

    Args:
        known: of the people, who of them are left hands, and the picture's size; without, any plane will do.
        count: B.
        device: where they are lifted; poses are mirrored before they get there.
    """

    def __init__(self, known: Circumstances, count: int, device: torch.device):
        left = torch.zeros(count, dtype=torch.bool) if known.left is None else torch.as_tensor(known.left)
        self._left = {left.device: left, device: left.to(device, non_blocking=True)}
        self._width = 0.0 if known.image_size is None else float(known.image_size[0])

    def points(self, pixels: torch.Tensor) -> torch.Tensor:
        """Points (B, ..., 2) of the picture."""
        return mirror_points(pixels, self._left[pixels.device], self._width)

    def vectors(self, vectors: torch.Tensor) -> torch.Tensor:
        """Points (B, ..., 3) about an origin that stays, or vectors."""
        return mirror_points(vectors, self._left[vectors.device])

    def back(self, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The values of a ``MeshPrediction`` about the people as they are, from those about mirrored ones."""
        pose2d, mesh, joints, pose3d, camera, box, residual, lift_residual, risk, *others = values
        pose, betas, trans, translation, focal, principal = others
        left = self._left[mesh.device]
        camera = torch.cat([camera[:, :1], self.vectors(camera[:, 1:])], dim=1)
        if pose.shape[1]:  # else there are no parameters
            pose, trans = mirror_pose(pose, left), self.vectors(trans)
        return (
            self.points(pose2d), self.vectors(mesh), self.vectors(joints), self.vectors(pose3d), camera,
            mirror_boxes(box, left, self._width), residual, lift_residual, risk, pose, betas, trans,
            self.vectors(translation), focal, self.points(principal), left,
        )  # fmt: skip
