"""The surfaces of a predictor: what takes the place of the network's vertices, and the cameras that see it."""

from dataclasses import dataclass, field

import numpy as np
import torch

from lib.export.cameras import default_focal
from lib.geometry.camera_fit import CROP_SIZE, fit_weak_perspective
from lib.joints.joint_set import JointSet
from lib.mesh.fit_params import ParamFit
from lib.mesh.mesh_model import OPEN_FILES, MeshModel
from lib.mesh.refine import BodyState, View
from lib.mesh.surface import Surface, SurfaceFitter
from lib.poses.selection import check_left
from lib.predictor.risk import RiskFeatures, risk_model
from lib.settings.setting import FITTED, NETWORK, REFINED, SURFACES
from lib.units import MM_PER_M

USUAL_DISTANCE = 3.0  # heights of the mesh model; of people in pictures of which nothing is known
LONGEST_GAP = 0.5  # seconds without a person, after which all that goes on from frame to frame starts anew


def chosen_surface(name: str, mesh_model: MeshModel) -> str:
    """Which mesh comes out; ``auto``: refined of the open models, the published network's of licensed ones.

    Raises:
        ValueError: unknown name.
    """
    if name == "auto":
        return REFINED if mesh_model.name in OPEN_FILES else NETWORK
    if name not in SURFACES:
        raise ValueError(f"unknown mesh {name!r}; choose auto, {', '.join(SURFACES)}")
    return name


@dataclass
class Film:
    """What refinement keeps of the people of a film from frame to frame, by track number.

    Attributes:
        longest_gap: frames without a person after which it starts anew.
    """

    longest_gap: int = 15
    _seen: dict[int, tuple[int, BodyState]] = field(default_factory=dict)

    def before(self, frame: int, tracks: list[int], like: BodyState) -> tuple[BodyState, torch.Tensor]:
        """The people's states in the frame before, and of whom there is one (B,)."""
        known = [self._seen.get(track) for track in tracks]
        rows = [kept[1] if kept and 0 < frame - kept[0] <= self.longest_gap else None for kept in known]
        found = torch.tensor([row is not None for row in rows], device=like.trans.device)
        states = [like[number] if row is None else row for number, row in enumerate(rows)]
        parts = ("rotations", "betas", "trans")
        return BodyState(*(torch.stack([getattr(state, part) for state in states]) for part in parts)), found

    def keep(self, frame: int, tracks: list[int], state: BodyState) -> None:
        """Remember the people of a frame; those without a track number are not followed."""
        self._seen = {track: kept for track, kept in self._seen.items() if frame - kept[0] <= self.longest_gap}
        self._seen |= {track: (frame, state[row]) for row, track in enumerate(tracks) if track >= 0}


@dataclass(frozen=True)
class Circumstances:
    """What is known beside the 2D poses of B people.

    Attributes:
        image_size: width and height of their picture, pixels; None: unknown, a camera looks straight at each person.
        focal: focal length, pixels; None: the picture's diagonal.
        scores: (B, J) of the joints, 0 of missing ones; None: all are certain.
        betas: (S,) or (B, S) a shape that is known.
        left: (B,) bool, who is a left hand; None: nobody is.
        film, frames, tracks: of films the memory, and numbers (B,) of frame, not decreasing, and person.
    """

    image_size: tuple[int, int] | None = None
    focal: float | None = None
    scores: np.ndarray | torch.Tensor | None = None
    betas: np.ndarray | torch.Tensor | None = None
    film: Film | None = None
    frames: np.ndarray | None = None
    tracks: np.ndarray | None = None
    left: np.ndarray | None = None

    def rows(self, part: slice | np.ndarray) -> "Circumstances":
        """Those of some of the people."""

        def cut(values, axes: int):
            return values if values is None or np.ndim(values) < axes else values[part]

        return Circumstances(
            self.image_size, self.focal, cut(self.scores, 2), cut(self.betas, 2), self.film, cut(self.frames, 1),
            cut(self.tracks, 1), cut(self.left, 1),
        )  # fmt: skip

    def check(self, count: int, joint_set: JointSet, shape_num: int) -> None:
        """Raises ValueError for what does not belong to so many people with these joints."""
        check_left(self.left, count, joint_set)
        if self.scores is not None and tuple(np.shape(self.scores)) != (count, joint_set.joint_num):
            raise ValueError(
                f"{count} poses of {joint_set.joint_num} joints have scores {tuple(np.shape(self.scores))}"
            )
        if self.betas is not None and tuple(np.shape(self.betas)) not in ((shape_num,), (count, shape_num)):
            raise ValueError(
                f"expected betas ({shape_num},) or ({count}, {shape_num}), got {tuple(np.shape(self.betas))}"
            )
        if self.betas is not None and not torch.as_tensor(self.betas).isfinite().all():
            raise ValueError("betas are NaN or infinite")
        if self.image_size is not None:
            size = np.asarray(self.image_size)
            if size.shape != (2,) or size.dtype.kind not in "iuf" or not (np.isfinite(size) & (size > 0)).all():
                raise ValueError(f"the picture's size is width and height, positive pixels, got {self.image_size}")
        if self.focal is not None and not (np.isfinite(self.focal) and self.focal > 0):
            raise ValueError(f"focal length must be a positive number of pixels, got {self.focal}")


@dataclass(frozen=True)
class PerspectiveCamera:
    """Cameras of B people: focal (B,) and principal (B, 2) pixels, translation (B, 3) metres of the meshes."""

    focal: torch.Tensor
    principal: torch.Tensor
    translation: torch.Tensor

    @classmethod
    def none(cls, like: torch.Tensor) -> "PerspectiveCamera":
        """NaN for meshes (B, V, 3) that weak-perspective cameras see."""
        nan = like.new_full((len(like), 6), torch.nan)
        return cls(nan[:, 0], nan[:, 1:3], nan[:, 3:])

    def project(self, points: torch.Tensor) -> torch.Tensor:
        """Pixels (B, n, 2) of points (B, n, 3) in the meshes' frame, metres."""
        place = points + self.translation[:, None]
        return self.focal[:, None, None] * place[..., :2] / place[..., 2:] + self.principal[:, None]

    def residual(self, joints: torch.Tensor, pose2d: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
        """(B,) ``MeshPrediction.residual`` of joints (B, n, 3) metres, pose2d (B, n, 2) and boxes (B, 4) pixels."""
        apart = (self.project(joints) - pose2d) * (CROP_SIZE / box[:, None, 2:])
        return apart.abs().mean(dim=(1, 2))

    def weak(self, box: torch.Tensor) -> torch.Tensor:
        """(B, 3) s, tx, ty of crops ``box`` (B, 4): weak-perspective cameras that agree at the meshes' origins."""
        scale = self.focal / self.translation[:, 2]  # pixels per metre
        middle = box[:, :2] + box[:, 2:] / 2
        shift = self.translation[:, :2] + (self.principal - middle) / scale[:, None]
        return torch.cat([(2 * scale / box[:, 2])[:, None], shift], dim=1)


class SurfaceMaker:
    """Makes fitted or refined surfaces of a network's meshes.

    Args:
        kind: ``fitted`` or ``refined``.
        mesh_model, joint_set, device: of the network.
    """

    def __init__(self, kind: str, mesh_model: MeshModel, joint_set: JointSet, device: torch.device):
        self.kind, self.joint_set = kind, joint_set
        self.fitter = SurfaceFitter(mesh_model, joint_set, device)
        # what the risk was fitted to
        self._features = RiskFeatures(self.fitter, mesh_model, joint_set) if mesh_model.kind == "body" else None

    def __call__(
        self,
        mesh: torch.Tensor,
        pose3d: torch.Tensor,
        pose2d: torch.Tensor,
        box: torch.Tensor,
        known: Circumstances,
        refine: bool = True,
    ) -> tuple[Surface, PerspectiveCamera, torch.Tensor]:
        """The surfaces of some people, what sees them, and the risk (B,) that they are far off, NaN where unknown.

        Args:
            mesh: (B, V, 3) of the network, metres. pose3d: (B, J, 3) of the lift, millimetres.
            pose2d: (B, J, 2) pixels. box: (B, 4) around them.
            known: about these people.
            refine: whether the 2D poses are to be trusted; without, surfaces are fitted only.
        """
        betas = None if known.betas is None else torch.as_tensor(known.betas, dtype=mesh.dtype, device=mesh.device)
        surface = self.fitter.fitted(mesh, betas=betas)
        risk = mesh.new_full((len(mesh),), torch.nan)
        if self.kind == FITTED or not refine:
            return surface, PerspectiveCamera.none(mesh), risk
        focal, principal = self._lens(surface.fit, pose2d, box, known)
        rays = ((pose2d - principal[:, None]) / focal[:, None, None]).to(mesh.dtype)
        scores = None if known.scores is None else torch.as_tensor(known.scores, dtype=mesh.dtype, device=mesh.device)
        view = View.of(rays, self.joint_set, scores)
        refined = self._refined(surface, view, known, betas is not None)
        assert refined.translation is not None  # there is a camera
        if self._features is not None:
            features = self._features(mesh, pose3d / MM_PER_M, pose2d, surface, refined)
            risk = risk_model().probability(features)
        camera = PerspectiveCamera(focal.to(mesh.dtype), principal.to(mesh.dtype), refined.translation)
        return refined, camera, risk

    def _lens(self, fit: ParamFit, pose2d, box, known: Circumstances) -> tuple[torch.Tensor, torch.Tensor]:
        """Focal length (B,) and principal point (B, 2), pixels."""
        if known.image_size is not None:
            focal = default_focal(known.image_size) if known.focal is None else known.focal
            middle = pose2d.new_tensor(known.image_size) / 2
            return pose2d.new_full((len(pose2d),), focal), middle.expand(len(pose2d), 2)
        middle = box[:, :2] + box[:, 2:] / 2
        if known.focal is not None:
            return pose2d.new_full((len(pose2d),), known.focal), middle
        # as far away as people usually are
        joints = self.fitter.joints(fit)
        camera, _ = fit_weak_perspective(joints, pose2d[:, : joints.shape[1]].to(joints.dtype), 2.0)
        return USUAL_DISTANCE * self.fitter.height * camera[:, 0].to(pose2d.dtype), middle

    def _refined(self, surface: Surface, view: View, known: Circumstances, keep_shape: bool) -> Surface:
        if known.film is None or known.frames is None or known.tracks is None:
            return self.fitter.refined(surface.fit, view, keep_shape)[0]
        # a person's left hand is remembered apart from the right one
        left = False if known.left is None else known.left
        numbers = np.where(known.tracks < 0, -1, 2 * known.tracks + left)
        parts = []
        for frame in np.unique(known.frames).tolist():  # frames do not decrease, so the parts are in order
            rows = torch.from_numpy(np.flatnonzero(known.frames == frame))
            tracks = numbers[rows.numpy()].tolist()
            fit, seen = surface.fit[rows], View(view.rays[rows], view.weight[rows])
            before, followed = known.film.before(frame, tracks, self.fitter.state(fit))
            refined, state = self.fitter.refined(fit, seen, keep_shape, before, followed)
            known.film.keep(frame, tracks, state)
            parts.append(refined)
        return Surface.joined(parts)
