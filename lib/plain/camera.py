"""Camera of one pose by 1,500 steps of Adam (slow reference of ``lib.geometry.camera_fit``)."""

import torch
from torch import Tensor, nn

STEPS = 1500
CROP_SIZE = 500


class PlainProjection(nn.Module):
    """Weak-perspective camera (s, tx, ty) with a random start."""

    def __init__(self, crop_size: int = CROP_SIZE):
        super().__init__()
        self.cam_param = nn.Parameter(torch.rand(1, 3))
        self.half_size = crop_size / 2

    def forward(self, joints: Tensor) -> Tensor:
        """(B, n, 3) metres to (B, n, 2) crop pixels."""
        shifted = joints[:, :, :2] + self.cam_param[None, :, 1:]
        return shifted * self.cam_param[None, :, :1] * self.half_size + self.half_size


def fit_camera(joints: Tensor, target: Tensor) -> tuple[Tensor, float]:
    """Fit (n, 3) metres to (n, 2) crop pixels; camera (3,) and mean absolute error in crop pixels."""
    model = PlainProjection()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for step in range(STEPS):
        loss = (model(joints[None]) - target[None]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 500:
            optimizer.param_groups[0]["lr"] = 0.05
        elif step == 1000:
            optimizer.param_groups[0]["lr"] = 0.001
    residual = (model(joints[None]) - target[None]).abs().mean().item()
    return model.cam_param[0].detach(), residual
