"""Body shapes of a wanted height."""

import numpy as np
import torch

from lib.body.lbs import BodyParams
from lib.mesh.mesh_model import MeshModel

_MOST_UNLIKELY = 4.0  # standard deviations of a shape that a height may ask for
_STEPS = 5


def standing_height(params: BodyParams, betas: torch.Tensor) -> torch.Tensor:
    """(B,) metres from the soles to the crown in the rest pose, of shapes (B, S)."""
    height = params.v_template[:, 1] + betas @ params.shapedirs[:, 1].T
    return height.amax(dim=1) - height.amin(dim=1)


def betas_of_height(mesh_model: MeshModel, height: float) -> np.ndarray:
    """The likeliest shape (S,) of a body of this height.

    Args:
        mesh_model: a body.
        height: metres.

    Raises:
        ValueError: a hand; a height that no likely shape has.
    """
    if mesh_model.kind != "body":
        raise ValueError(f"a height is of a body; {mesh_model.name} is a {mesh_model.kind}")
    params = mesh_model.params()
    betas = torch.zeros(1, params.shape_num)
    for _ in range(_STEPS):  # which vertices are lowest and highest changes little, so few steps suffice
        up = params.v_template[:, 1] + params.shapedirs[:, 1] @ betas[0]
        slope = params.shapedirs[up.argmax(), 1] - params.shapedirs[up.argmin(), 1]
        rest = params.v_template[up.argmax(), 1] - params.v_template[up.argmin(), 1]
        betas = ((height - rest) * slope / slope.square().sum().clamp_min(1e-9))[None]
    if not float(betas.norm()) <= _MOST_UNLIKELY:
        limit = betas / betas.norm() * _MOST_UNLIKELY
        low, high = sorted(float(standing_height(params, sign * limit)) for sign in (-1, 1))
        raise ValueError(f"{height:g} m: the shapes of {mesh_model.name} are {low:.2f} to {high:.2f} m tall")
    return betas[0].numpy()
