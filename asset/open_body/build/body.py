"""The full open body: sampled shapes, shape components, skinning, pose correctives and joints on the decimated mesh."""

from collections.abc import Callable

import numpy as np
import torch

from asset.open_body.build import skeleton
from asset.open_body.build.body_mesh import FULL, build_body_mesh
from asset.open_body.build.body_regressors import limb_band
from asset.open_body.build.fitting import (
    BATCH,
    POSED_NUM,
    PoseTarget,
    Skin,
    corrective_error,
    fit_joint_regressor,
    fit_posedirs,
    principal_shapes,
    regress,
)
from asset.open_body.build.skeleton import FLIP_X, JOINTS, MIRROR, PARENTS
from asset.open_body.build.skinning import (
    DeltaMush,
    compose,
    linear_skin,
    quantise_weights,
    rotation_matrices,
    target_skin,
)
from asset.open_body.build.source import AnnySource, Phenotypes, mean_adult, t_pose_turns
from lib.joints.tables import COCO

SAMPLES, POSES, SHAPE_NUM = 1500, 1200, 10
PELVIS = np.array([0, -0.24, 0.03])  # where the pelvis rests
POSEDIR_STEP = 2.0**-14  # metres; correctives are rounded to it so that the file compresses
LOCAL_CHANGES = (
    "upperarm", "lowerarm", "upperleg", "lowerleg", "hand-scale", "hand-fingers-length", "hand-fingers-diameter",
    "foot-scale", "torso-", "hip-", "measure-", "head-scale", "buttocks-volume", "stomach-tone", "neck-scale",
    "head-fat", "shoulder",
)  # fmt: skip

SLIM = ("Knee", "Ankle", "Toe", "Elbow", "Wrist", "Hand")  # joints with a narrow band of candidates


class BodyBuilder:
    """Everything that both body files are cut from (by ``body_regressors.body_arrays``).

    Args:
        report: called with one line of text per step.

    Attributes, for S samples of which P are also posed (V = 6890 vertices, 24 joints, 17 COCO points):
        source, mesh: the source model and the decimated meshes.
        vertices (S, V, 3), joints (S, 24, 3), coco (S, 17, 3): the samples at rest, in the T-pose.
        posed (P, V, 3), posed_joints (P, 24, 3), posed_coco (P, 17, 3), head_transforms (P, 3, 4): posed samples.
        template (V, 3), shapedirs (V, 3, 10), J_regressor (24, V); skin: weights and posedirs.
    """

    def __init__(self, report: Callable[[str], None]):
        self.report = report
        self.rng = np.random.default_rng(0)
        torch.manual_seed(0)  # the package's sampler draws from the global generator
        self.source = source = AnnySource()
        self.local_labels = [x for x in source.local_labels() if any(part in x for part in LOCAL_CHANGES)]
        self.mean_adult = mean_adult(self._draw(2000)[0])
        self.turn = t_pose_turns(source, self.mean_adult, finger_curl=(4, 6, 8))
        self.mesh = build_body_mesh(source, self.turn, self.mean_adult)
        report(f"meshes: {len(self.mesh.source_ids)} and {len(self.mesh.light)} vertices")
        self.joint_of_bone = np.array([skeleton.joint_of_bone(label) for label in source.labels])
        self.heads = [[source.index[bone] for bone in skeleton.head_bones(joint)] for joint in JOINTS]
        self.bone_weights = source.weights[self.mesh.source_ids]
        self.mush = DeltaMush(self.mesh.faces, FULL, iterations=10)
        coco = source.coco_weights(COCO.joints[: COCO.keypoint_num])
        self.coco_support = np.flatnonzero(coco.any(axis=0))
        self.coco_weights = coco[:, self.coco_support]

        self.skin = Skin(self._merge_weights(), PARENTS)
        self._sample_shapes()
        self._fit_shapes()
        self._fit_correctives()
        self._fit_joints()

    def _draw(self, count: int) -> tuple[Phenotypes, Phenotypes]:
        """Random adults with symmetric local changes of limbs, torso and head."""
        adults, local = self.source.sample(count), {}
        for label in self.local_labels:
            if not label.startswith("r-"):
                local[label] = torch.as_tensor(np.clip(self.rng.standard_normal(count) * 0.12, -0.3, 0.3))
                if label.startswith("l-"):
                    local["r-" + label[2:]] = local[label]
        return adults, local

    def _merge_weights(self) -> np.ndarray:
        """(V, 24) the source's skin weights summed over the bones of each joint, exactly symmetric."""
        flip, order = self.mesh.flip, np.arange(FULL)
        merged = np.zeros((FULL, len(JOINTS)))
        np.add.at(merged.T, self.joint_of_bone, self.bone_weights.T)
        merged = quantise_weights((merged + merged[flip][:, MIRROR]) / 2)
        later, middle = order > flip, order == flip
        merged[later] = merged[flip[later]][:, MIRROR]
        merged[middle] = (merged[middle] + merged[middle][:, MIRROR]) / 2
        return merged

    def _t_pose(
        self, adults: Phenotypes, local: Phenotypes | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Source vertices (B, n, 3), transforms of its bones to the T-pose, T-posed vertices (B, V, 3) and joints."""
        rest, transforms, heads = self.source.t_posed(self.turn, adults, local)
        joints = np.stack([heads[:, bones].mean(axis=1) for bones in self.heads], axis=1)
        offset = PELVIS - joints[:, :1]
        transforms[..., 3] += offset
        posed = target_skin(rest[:, self.mesh.source_ids], self.bone_weights, transforms, self.mush)
        return rest, transforms, posed, joints + offset

    def _coco_points(self, support: np.ndarray, transforms: np.ndarray) -> np.ndarray:
        return regress(self.coco_weights, linear_skin(support, self.source.weights[self.coco_support], transforms))

    def _sample_shapes(self) -> None:
        """Sampled T-posed bodies, joints and COCO points, all symmetric."""
        flip, coco_mirror = self.mesh.flip, skeleton.MIRROR_COCO
        self.vertices = np.empty((SAMPLES, FULL, 3), np.float32)
        self.bone_joints, self.coco = np.empty((SAMPLES, len(JOINTS), 3)), np.empty((SAMPLES, len(coco_mirror), 3))
        self.posable = []  # COCO support and bone transforms of the samples that get posed
        for s in range(0, SAMPLES, BATCH):
            rest, transforms, vertices, joints = self._t_pose(*self._draw(BATCH))
            part, support = slice(s, s + BATCH), rest[:, self.coco_support]
            self.vertices[part] = (vertices + vertices[:, flip] * FLIP_X) / 2
            self.bone_joints[part] = (joints + joints[:, MIRROR] * FLIP_X) / 2
            points = self._coco_points(support, transforms)
            self.coco[part] = (points + points[:, coco_mirror] * FLIP_X) / 2
            if s < POSED_NUM:
                self.posable.append((support.astype(np.float32), transforms))
            if (s + BATCH) % 500 == 0:
                self.report(f"sampled {s + BATCH} of {SAMPLES} bodies")

    def _fit_shapes(self) -> None:
        """Template and shapedirs: the mean and ten principal components, component 0 growing with height."""
        height = np.ptp(self.vertices[..., 1], axis=1)
        corners = self.mesh.faces.T
        volume = np.array(
            [np.einsum("fc,fc->", v[corners[0]], np.cross(v[corners[1]], v[corners[2]])) / 6 for v in self.vertices]
        )
        bmi = volume * 985 / height**2
        references = [height] + [bmi] * (SHAPE_NUM - 1)
        self.template, directions, coefficients, variance = principal_shapes(self.vertices, references)
        directions = (directions + directions[:, self.mesh.flip] * FLIP_X) / 2
        self.shapedirs = directions.transpose(1, 2, 0)
        self.report(
            f"shapes: height {height.mean():.2f} +- {height.std():.2f} m, BMI {bmi.mean():.1f} +- {bmi.std():.1f}; "
            f"{SHAPE_NUM} components hold {variance[:SHAPE_NUM].sum():.1%}, component 0 correlates "
            f"{np.corrcoef(coefficients[:, 0], height)[0, 1]:.2f} with height"
        )

    def _fit_correctives(self) -> None:
        """Pose correctives of the mean adult."""
        rest, to_rest, posed, joints = self._t_pose(self.mean_adult)
        source_vertices = rest[:, self.mesh.source_ids]
        target = PoseTarget(source_vertices, self.bone_weights, to_rest, self.joint_of_bone, joints, PARENTS, self.mush)
        named = np.stack(list(skeleton.named_poses().values()))
        strengths = np.tile([0.35, 0.7, 1.0, 1.0], len(named))[:, None, None]
        poses = [skeleton.random_poses(POSES, self.rng), named.repeat(4, axis=0) * strengths]
        for joint in range(1, len(JOINTS)):  # each joint alone, over a wide range
            alone = np.zeros((14, len(JOINTS), 3))
            alone[:, joint] = skeleton.random_poses(14, self.rng, scale=1.6)[:, joint]
            poses.append(alone)
        poses = np.concatenate(poses)
        transforms, features, targets = target.pose(poses)
        self.report(f"{len(targets)} target poses")
        check = self.rng.permutation(len(poses))[:100]
        reach = self.mush.smooth(self.skin.weights, iterations=12)[:, 1:] > 0.02
        fit = fit_posedirs(posed[0], self.skin.weights, transforms, features, targets.astype(np.float32), reach)
        fit = (fit + skeleton.mirrored_posedirs(fit, self.mesh.flip)) / 2
        self.skin.posedirs = np.round(fit / POSEDIR_STEP) * POSEDIR_STEP
        plain = Skin(self.skin.weights, PARENTS, np.zeros_like(self.skin.posedirs))
        for name, test in (
            ("fitted", poses[check]),
            ("held-out", skeleton.random_poses(120, np.random.default_rng(99))),
        ):
            errors = [corrective_error(posed, skin, target, test).mean() for skin in (plain, self.skin)]
            self.report(f"correctives: {name} poses' error {errors[0]:.2f} -> {errors[1]:.2f} mm")

    def _fit_joints(self) -> None:
        """The model's joints: the regressor's output, near the source's bone heads; then everything posed by them."""
        mean_joints = self.bone_joints.mean(axis=0)

        def candidates(joint):
            count = 600 if skeleton.split_side(JOINTS[joint])[1] in SLIM else 1000
            return limb_band(self.template, self.skin.weights, mean_joints[joint], joint, count)

        rotations = rotation_matrices(skeleton.random_poses(POSED_NUM, self.rng))
        self.J_regressor = fit_joint_regressor(
            self.vertices, self.bone_joints, self.skin, rotations, candidates, mirror=MIRROR, flip=self.mesh.flip
        )
        self.joints = regress(self.J_regressor, self.vertices)
        transforms, self.posed_joints, self.posed = self.skin.pose(
            self.vertices[:POSED_NUM], self.joints[:POSED_NUM], rotations
        )
        self.head_transforms = transforms[:, JOINTS.index("Head")]
        points = []
        for s, (support, to_rest) in zip(range(0, POSED_NUM, BATCH), self.posable):
            bones = compose(transforms[s : s + BATCH, self.joint_of_bone], to_rest)
            points.append(self._coco_points(support, bones))
        self.posed_coco = np.concatenate(points)
        self.report("joints regressed, bodies posed")
