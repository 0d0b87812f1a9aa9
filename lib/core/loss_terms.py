"""Further terms of the training losses, beside the published ones: one table, their weights are MODEL.loss_terms."""

from collections.abc import Callable

from torch import Tensor, nn

from lib.mesh.mesh_model import MeshModel
from lib.settings.config import Config

# Name in MODEL.loss_terms and log.csv -> builder of the term. A term is a module without parameters. Its forward takes
# three dicts: predictions, targets and what is valid (1, else 0). Each has "joints" (B, J, 3), mm, of the input joint
# set, valid (B, J, 1); and for Pose2Mesh "mesh" (B, V, 3), metres, valid (B, V, 1). It gives a scalar.
LOSS_TERMS: dict[str, Callable[[Config, MeshModel], nn.Module]] = {}


class FurtherTerms(nn.Module):
    """The terms that MODEL.loss_terms names, times their weights.

    Args:
        cfg: settings.
        mesh_model: mesh of the training.

    Raises:
        ValueError: an unknown term, lists the known ones.
    """

    def __init__(self, cfg: Config, mesh_model: MeshModel):
        super().__init__()
        self.weights = dict(cfg.MODEL.loss_terms)
        for name in self.weights:
            if name not in LOSS_TERMS:
                known = ", ".join(LOSS_TERMS) or "none"
                raise ValueError(f"MODEL.loss_terms: unknown term {name!r}; known: {known} (lib/core/loss_terms.py)")
        self.terms = nn.ModuleList(LOSS_TERMS[name](cfg, mesh_model) for name in self.weights)

    def forward(self, found: dict[str, Tensor], true: dict[str, Tensor], valid: dict[str, Tensor]) -> dict[str, Tensor]:
        """Name -> weighted scalar, with gradient."""
        pairs = zip(self.weights.items(), self.terms)
        return {name: weight * term(found, true, valid) for (name, weight), term in pairs}
