"""The open right hand in MANO's format: mesh, shapes, skinning, pose correctives, finger poses and joint regressor.

The flat hand points along -x (fingers) with the palm down and the thumb forward (+z); metres.
"""

from collections.abc import Callable

import numpy as np
import torch

from asset.open_body.build.decimate import Decimator
from asset.open_body.build.fitting import (
    BATCH,
    POSED_NUM,
    PoseTarget,
    Skin,
    band,
    corrective_error,
    family_weight,
    fit_joint_regressor,
    fit_posedirs,
    kintree_table,
    principal_shapes,
    regress,
)
from asset.open_body.build.mesh_ops import boundary_loops, compact, triangulate
from asset.open_body.build.skinning import DeltaMush, quantise_weights, rotation_matrices, target_skin
from asset.open_body.build.source import AnnySource, Phenotypes, mean_adult, t_pose_turns

VERTICES, RIM = 778, 16
SAMPLES, POSES, SHAPE_NUM = 1000, 1500, 10
POSE_FREEDOMS = 20  # of the scripted finger poses: three flexions and one spread per finger
WRIST = np.array([0.0957, 0.0064, 0.0062])  # where the wrist rests
POSEDIR_STEP = 2.0**-16
PALM_JOINT = 4  # first joint of the middle finger; its distance from the wrist measures the hand

FINGERS = ("index", "middle", "pinky", "ring", "thumb")  # MANO's joint order, three joints each after the wrist
SOURCE_FINGER = {"thumb": 1, "index": 2, "middle": 3, "ring": 4, "pinky": 5}
PARENTS = np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14])
THUMB_GOALS = np.array([[-0.6, -0.75, -0.25], [-0.75, -0.35, -0.55], [-0.75, -0.35, -0.55]])  # where its joints flex to

# Local changes: name, standard deviation
LOCAL_CHANGES = {
    "r-hand-fingers-length-incr": 0.4,
    "r-hand-scale-incr": 0.1,
    "r-hand-fingers-diameter-incr": 0.4,
    "r-hand-fingers-distance-incr": 0.4,
    "measure-wrist-circ-incr": 0.4,
}
VARIANTS = [
    {},
    {"gender": 0.0, "muscle": 0.9},
    {"gender": 1.0, "weight": 0.2},
    {"gender": 1.0, "weight": 0.95},
    {"gender": 0.0, "weight": 1.0, "age": 0.95},
]


def joints_of(finger: str) -> list[int]:
    """The three joints of a finger, from the palm outwards."""
    first = 1 + 3 * FINGERS.index(finger)
    return [first, first + 1, first + 2]


def random_hand_poses(
    count: int, rng: np.random.Generator, flexion: np.ndarray, spread: np.ndarray, width: float = 1.0
) -> np.ndarray:
    """Scripted finger poses (count, 16, 3) axis-angle: a common grip plus variation of each finger.

    Args:
        flexion, spread: (16, 3) unit axes about which each joint flexes, and the thumb's base moves sideways.
        width: scale of the variation between fingers.
    """
    degrees = np.deg2rad
    poses = np.zeros((count, len(PARENTS), 3))

    def turn(joint, angle):
        poses[:, joint] += degrees(angle)[:, None] * flexion[joint]

    grip = np.clip(rng.beta(1.1, 1.8, count) * 1.1, 0, 1)
    common_spread = rng.standard_normal(count) * 6
    for finger, side in (("index", 1.3), ("middle", 0.3), ("ring", -0.6), ("pinky", -1.4)):
        base, middle, tip = joints_of(finger)
        curl = np.clip(grip + 0.22 * width * rng.standard_normal(count), -0.08, 1.05)
        turn(base, 75 * curl + 8 * width * rng.standard_normal(count))
        sideways = common_spread * side + 3 * rng.standard_normal(count)  # straight fingers spread, curled ones do not
        poses[:, base, 1] += degrees(sideways * (1 - 0.7 * np.clip(curl, 0, 1)))
        bend = np.clip(95 * curl + 10 * width * rng.standard_normal(count), -5, 110)
        turn(middle, bend)
        turn(tip, np.clip(0.6 * bend + 7 * rng.standard_normal(count), -8, 85))
    curl = np.clip(0.6 * grip + 0.35 * rng.standard_normal(count), -0.3, 1.1)
    base, middle, tip = joints_of("thumb")
    turn(base, 32 * curl + 8 * width * rng.standard_normal(count))
    poses[:, base] += degrees(10 * rng.standard_normal(count))[:, None] * spread[base]
    turn(middle, np.clip(30 * curl + 12 * rng.standard_normal(count), -15, 60))
    turn(tip, np.clip(40 * curl + 18 * rng.standard_normal(count), -20, 80))
    return poses


class HandBuilder:
    """Samples and arrays of the hand. ``report`` is called with one line of text per step."""

    def __init__(self, report: Callable[[str], None]):
        self.report = report
        self.rng = np.random.default_rng(0)
        torch.manual_seed(0)  # the package's sampler draws from the global generator
        self.source = source = AnnySource()
        self.mean_adult = mean_adult(self._draw(1000)[0])
        self.turn = t_pose_turns(source, self.mean_adult, finger_curl=(2, 4, 5))
        bones = [f"finger{SOURCE_FINGER[finger]}-{k}.R" for finger in FINGERS for k in (1, 2, 3)]
        self.heads = [source.index[bone] for bone in ("wrist.R", *bones)]
        self.joint_of_bone = np.zeros(len(source.labels), dtype=int)
        self.joint_of_bone[self.heads] = np.arange(len(PARENTS))

        self._build_mesh()
        self.bone_weights = source.weights[self.source_ids]
        merged = np.zeros((VERTICES, len(PARENTS)))
        np.add.at(merged.T, self.joint_of_bone, self.bone_weights.T)
        self.skin = Skin(quantise_weights(merged), PARENTS)
        self._sample_shapes()
        self._find_axes()
        self._fit_hand_poses()
        self._fit_correctives()
        self._fit_joints()

    def _draw(self, count: int) -> tuple[Phenotypes, Phenotypes]:
        """Random adults with local changes of the hand."""
        local = {
            label: torch.as_tensor(np.clip(self.rng.standard_normal(count) * deviation, -0.9, 0.9))
            for label, deviation in LOCAL_CHANGES.items()
        }
        return self.source.sample(count), local

    def _build_mesh(self) -> None:
        """The package's right hand and two more rings of quads, decimated: a disk with a rim of 16."""
        source = self.source
        chosen = source.right_hand_quads()
        for _ in range(2):
            rim = np.concatenate(boundary_loops(source.quads[chosen]))
            chosen = chosen | np.isin(source.quads, rim).any(axis=1)
        shapes, heads = source.variants(self.turn, self.mean_adult, VARIANTS)
        shapes = shapes - heads[:, self.heads[:1]] + WRIST
        faces, ids = compact(triangulate(source.quads[chosen], shapes[0]))
        decimator = Decimator(shapes[:, ids], faces)
        decimator.run_rim(RIM)
        decimator.run(VERTICES, keep_rim=True)
        self.faces, self.source_ids = compact(ids[decimator.faces()])
        rim = np.isin(np.arange(VERTICES), boundary_loops(self.faces)[0])
        self.mush = DeltaMush(self.faces, VERTICES, iterations=4, pinned=rim)
        self.report(f"mesh: {VERTICES} vertices, rim of {rim.sum()}")

    def _flat(
        self, adults: Phenotypes, local: Phenotypes | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Source vertices (B, V, 3), transforms to the flat hand (B, C, 3, 4), flat vertices and joints (B, 16, 3)."""
        rest, transforms, heads = self.source.t_posed(self.turn, adults, local)
        offset = WRIST - heads[:, self.heads[:1]]
        transforms[..., 3] += offset
        rest = rest[:, self.source_ids]
        return (
            rest,
            transforms,
            target_skin(rest, self.bone_weights, transforms, self.mush),
            heads[:, self.heads] + offset,
        )

    def _palm(self) -> np.ndarray:
        return np.linalg.norm(self.joints[:, PALM_JOINT] - self.joints[:, 0], axis=-1)

    def _sample_shapes(self) -> None:
        """Sampled flat hands; template and shapedirs, all components growing with the hand."""
        flat = [self._flat(*self._draw(BATCH))[2:] for _ in range(0, SAMPLES, BATCH)]
        self.vertices, self.joints = (np.concatenate(part) for part in zip(*flat))
        # hands of real adults vary less in size than these
        scale = ((self._palm() / self._palm().mean()) ** -0.35)[:, None, None]
        self.vertices, self.joints = ((x - WRIST) * scale + WRIST for x in (self.vertices, self.joints))
        self.template, directions, _, variance = principal_shapes(self.vertices, [self._palm()] * SHAPE_NUM)
        self.shapedirs = directions.transpose(1, 2, 0)
        self.mean_joints = self.joints.mean(axis=0)
        self.report(f"shapes: {SHAPE_NUM} components hold {variance[:SHAPE_NUM].sum():.2%}")

    def _find_axes(self) -> None:
        """Fingertip vertices and, per joint, the bone's unit direction, flexion axis and (thumb) sideways axis."""
        joint_num = len(PARENTS)
        self.tips, self.along = {}, np.zeros((joint_num, 3))
        self.flexion, self.spread = np.zeros((joint_num, 3)), np.zeros((joint_num, 3))
        self.along[0] = self.mean_joints[PALM_JOINT] - self.mean_joints[0]
        for finger in FINGERS:
            joints = joints_of(finger)
            own = np.flatnonzero(self.skin.weights[:, joints[2]] > 0.9)
            last = self.mean_joints[joints[2]] - self.mean_joints[joints[1]]
            self.tips[finger] = int(own[np.argmax((self.template[own] - self.mean_joints[joints[2]]) @ last)])
            points = np.stack([*self.mean_joints[joints], self.template[self.tips[finger]]])
            self.along[joints] = np.diff(points, axis=0)
            goals = THUMB_GOALS if finger == "thumb" else np.array([0, -1.0, 0])
            self.flexion[joints] = np.cross(self.along[joints], goals)
        self.along /= np.linalg.norm(self.along, axis=1, keepdims=True)
        self.flexion[1:] /= np.linalg.norm(self.flexion[1:], axis=1, keepdims=True)
        self.spread = -np.cross(self.flexion, self.along)

    def _poses(self, count: int, width: float) -> np.ndarray:
        return random_hand_poses(count, self.rng, self.flexion, self.spread, width)

    def _fit_hand_poses(self) -> None:
        """Mean and orthonormal principal components of the finger poses; components beyond their freedoms fill up."""
        poses = self._poses(6000, 1.0)[:, 1:].reshape(6000, -1)
        self.hands_mean = poses.mean(axis=0)
        _, singular, components = np.linalg.svd(poses - self.hands_mean, full_matrices=False)
        components[POSE_FREEDOMS:] = np.linalg.qr(components[:POSE_FREEDOMS].T, mode="complete")[0].T[POSE_FREEDOMS:]
        self.hands_components = components * np.where(components.sum(axis=1) < 0, -1, 1)[:, None]
        variance = (singular**2 / (singular**2).sum()).cumsum()
        self.report(f"finger poses: 6 components hold {variance[5]:.1%}, 15 hold {variance[14]:.1%}")

    def _fit_correctives(self) -> None:
        """Pose correctives of the mean adult's hand."""
        rest, to_flat, flat, joints = self._flat(self.mean_adult)
        target = PoseTarget(rest, self.bone_weights, to_flat, self.joint_of_bone, joints, PARENTS, self.mush)
        poses = [self._poses(POSES, 1.5), np.zeros((1, len(PARENTS), 3))]
        angles = np.deg2rad(np.arange(-15, 100, 15))
        for joint in range(1, len(PARENTS)):  # each joint alone
            alone = np.zeros((len(angles), len(PARENTS), 3))
            alone[:, joint] = angles[:, None] * self.flexion[joint]
            poses.append(alone)
        fit_to = target.pose(np.concatenate(poses))
        reach = self.mush.smooth(self.skin.weights, iterations=5)[:, 1:] > 0.02
        fit = fit_posedirs(flat[0], self.skin.weights, *fit_to, reach, floor=2e-5)
        self.skin.posedirs = np.round(fit / POSEDIR_STEP) * POSEDIR_STEP
        plain = Skin(self.skin.weights, PARENTS, np.zeros_like(self.skin.posedirs))
        held_out = self._poses(200, 1.2)
        errors = [corrective_error(flat, skin, target, held_out).mean() for skin in (plain, self.skin)]
        self.report(f"correctives: held-out poses' error {errors[0]:.2f} -> {errors[1]:.2f} mm")

    def _fit_joints(self) -> None:
        """The joint regressor and its error over posed hands."""

        def candidates(joint):
            belongs = family_weight(self.skin.weights, PARENTS, joint) >= 0.5
            return band(self.template, self.mean_joints[joint], self.along[joint], belongs, 90)

        rotations = rotation_matrices(self._poses(POSED_NUM, 1.2))
        self.J_regressor = fit_joint_regressor(
            self.vertices, self.joints, self.skin, rotations, candidates, scale=100.0
        )
        vertices = self.vertices[:POSED_NUM]
        _, posed_joints, posed = self.skin.pose(vertices, regress(self.J_regressor, vertices), rotations)
        error = 1e3 * np.linalg.norm(regress(self.J_regressor, posed) - posed_joints, axis=-1)
        self.errors = {"J": (error.mean(), np.percentile(error, 95))}

    def arrays(self) -> tuple[dict[str, np.ndarray], dict[str, tuple[float, float]]]:
        """The hand's arrays, and the posed regressor error (mean, 95th percentile) in mm."""
        tips = [self.tips[finger] for finger in ("thumb", "index", "middle", "ring", "pinky")]
        return {
            "v_template": self.template.astype(np.float32),
            "f": self.faces.astype(np.uint32),
            "shapedirs": self.shapedirs.astype(np.float16),
            "posedirs": self.skin.posedirs.astype(np.float16),
            "weights": self.skin.weights.astype(np.float16),
            "J_regressor": self.J_regressor.astype(np.float32),
            "kintree_table": kintree_table(PARENTS),
            "J": (self.J_regressor @ self.template).astype(np.float32),
            "hands_components": self.hands_components.astype(np.float32),
            "hands_mean": self.hands_mean.astype(np.float32),
            "fingertip_vertex_ids": np.array(tips, np.int32),
            "source_vertex_ids": self.source.vertex_ids[self.source_ids].astype(np.int32),
        }, self.errors
