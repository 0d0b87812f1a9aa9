"""Bodies of a batch, posed in the camera frame: vertices, joints of any set, their projection."""

import torch

from lib.body.hand import order_hand_joints
from lib.body.lbs import BodyParams, lbs
from lib.body.rotation import rotate_root
from lib.geometry.cameras import project
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.mesh.joint_regressor import JointRegressor
from lib.mesh.mesh_model import GENDERS, MeshModel
from lib.units import MM_PER_M


class PosedBodies:
    """Skinning parameters and regressors that a configuration needs, on one device.

    Args:
        model: mesh model.
        joint_sets: the joint sets that will be asked for (by name), see ``lib.joints.lookup.get_joint_set``.
        whole_mesh: keep every vertex; otherwise only those that the regressors read.
        device: where batches are computed.
    """

    def __init__(self, model: MeshModel, joint_sets, whole_mesh: bool, device="cpu"):
        self.model, self.device = model, torch.device(device)
        sets = sorted(map(get_joint_set, joint_sets), key=lambda joint_set: joint_set.name)
        self.joint_sets = {joint_set.name: joint_set for joint_set in sets}
        if any(self.joint_sets[joint_set.name] != joint_set for joint_set in sets):
            raise ValueError("two different joint sets have one name; give each file its own (name: ...)")
        regressors = {name: _regressor(model, joint_set) for name, joint_set in self.joint_sets.items()}
        self._vertex_ids = None
        if not whole_mesh:
            used = torch.zeros(model.vertex_num, dtype=torch.bool)
            for regressor in regressors.values():
                used |= (regressor != 0).any(dim=0)
            self._vertex_ids = used.nonzero().squeeze(1)
            regressors = {name: regressor[:, self._vertex_ids] for name, regressor in regressors.items()}
        place = torch.empty(0, device=self.device)
        self.regressors = {name: JointRegressor(regressor).to(place) for name, regressor in regressors.items()}
        # rows of the published human36 regressor do not sum to exactly 1: joints are those of the translated mesh
        self.regressor_sums = {name: r.sum(dim=1)[:, None].to(place) for name, r in regressors.items()}
        self._params: dict[str, BodyParams] = {}

    def params(self, gender: str) -> BodyParams:
        """Skinning parameters of a gender, made when first asked for: gendered files may not be there."""
        if gender not in self._params:
            params = self.model.params(gender)
            if self._vertex_ids is not None:
                params = params.subset(self._vertex_ids)
            self._params[gender] = params.to(self.device, torch.float32)
        return self._params[gender]

    def skin(self, pose: torch.Tensor, betas: torch.Tensor, gender: torch.Tensor | None):
        """``lbs`` with each sample's own gendered model (neutral without ``gender``)."""
        if gender is None:
            return lbs(self.params("neutral"), pose, betas, side_by_side=False)
        parts, places = [], []
        for code in gender.unique().tolist():
            chosen = (gender == code).nonzero().squeeze(1)
            parts.append(lbs(self.params(GENDERS[code]), pose[chosen], betas[chosen]))
            places.append(chosen)
        order = torch.cat(places).argsort()
        return tuple(torch.cat(part)[order] for part in zip(*parts, strict=True))

    def rest_root(self, betas: torch.Tensor) -> torch.Tensor:
        """(B, 3) root joint of the neutral body at rest, metres: the point that root rotations turn about."""
        params = self.params("neutral")
        return params.J_template[0] + betas @ params.J_shapedirs[0].t()


def _regressor(model: MeshModel, joint_set: JointSet) -> torch.Tensor:
    """(rows, V); of ``mano`` the five fingertips only, ``smpl`` needs no vertices."""
    if joint_set.name == "smpl":
        return torch.zeros(0, model.vertex_num)
    if joint_set.name == "mano":
        return torch.nn.functional.one_hot(torch.tensor(model.layer_tips), model.vertex_num).float()
    return torch.from_numpy(model.joint_regressor(joint_set))


class Posed:
    """One batch of posed bodies. Vertices and joints are computed when first needed, once.

    Args:
        bodies: skinning parameters and regressors.
        rows: columns of the samples, see ``lib.datasets.transform.BodyTransform``.
        input_set: name of the joint set of the 2D input.
        annotated_set: name of the joint set of ``rows["joint_cam"]``; those joints are used where that set is asked
            for as ``target``.
    """

    def __init__(self, bodies: PosedBodies, rows: dict[str, torch.Tensor], input_set: str, annotated_set: str = ""):
        self.bodies, self.rows = bodies, rows
        self.input_set, self.annotated_set = input_set, annotated_set
        self._skinned: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        self._joints: dict[str, torch.Tensor] = {}

    @property
    def _body(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Vertices (B, V', 3) and kinematic joints (B, K, 3) around the origin, translation (B, 1, 3), metres."""
        if self._skinned is None:
            rows = self.rows
            pose, trans = rows["pose"], rows["trans"]
            if "cam_R" in rows:
                pose = torch.cat([rotate_root(rows["cam_R"], pose[:, :3]), pose[:, 3:]], dim=1)
            if "cam_t" in rows:
                trans = self._world_to_camera(rows["cam_R"], rows["cam_t"], trans, rows["betas"])
            vertices, kinematic = self.bodies.skin(pose, rows["betas"], rows.get("gender"))
            self._skinned = vertices, kinematic, trans[:, None]
        return self._skinned

    def _world_to_camera(self, rotation, translation, trans, betas) -> torch.Tensor:
        """Translation of a body whose root rotation was turned into the camera frame, (B, 3).

        A body turns about its root joint, a camera about the world's origin: the difference goes to the translation.
        """
        root = self.bodies.rest_root(betas)
        turned = torch.einsum("bij,bj->bi", rotation, trans + root)
        return turned + translation - root

    def vertices_from(self, origin: torch.Tensor) -> torch.Tensor:
        """(B, V', 3) metres relative to points (B, 3) of the camera frame."""
        vertices, _, trans = self._body
        # one pass over the mesh for both shifts, and to bring x, y and z of a vertex together
        return torch.add(vertices, trans - origin[:, None], out=vertices.new_empty(vertices.shape))

    def joints(self, name: str) -> torch.Tensor:
        """Joints of a set, derived ones included, from the body: (B, J, 3) metres, camera frame.

        human36, coco and users' joints are regressed from the mesh; smpl and mano joints are the kinematic ones of the
        layer (and fingertip vertices), which is what SURREAL and FreiHAND annotate.
        """
        if name not in self._joints:
            self._joints[name] = self._body_joints(name)
        return self._joints[name]

    def _body_joints(self, name: str) -> torch.Tensor:
        vertices, kinematic, trans = self._body
        if name == "smpl":
            return kinematic + trans
        joints = self.bodies.regressors[name] @ vertices + self.bodies.regressor_sums[name] * trans
        if name == "mano":
            return order_hand_joints(torch.cat([kinematic + trans, joints], dim=1))
        return self.bodies.joint_sets[name].add_derived(joints)

    def targets(self, name: str) -> torch.Tensor:
        """Joints of a set as the network shall predict them: annotated ones where there are such, else ``joints``."""
        if name == self.annotated_set:
            return self.rows["joint_cam"] / MM_PER_M
        return self.joints(name)

    def image(self, name: str) -> torch.Tensor:
        """Projection of ``targets``, (B, J, 2) pixels."""
        joints = self.targets(name)
        if "weak" in self.rows:
            scale, shift = self.rows["weak"][:, None].split(2, dim=-1)
            return scale * joints[..., :2] + shift
        return project(joints, self.rows["focal"], self.rows["princpt"])
