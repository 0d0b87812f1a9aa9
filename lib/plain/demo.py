"""The demo of one pose as the original runs it: every model, graph and camera made anew (slow reference of ``demo``).

python lib/plain/demo.py --weights model.pth.tar --body open_6890 --input_pose pose.npy --output out
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch

from lib.joints.joint_set import JointSet
from lib.joints.tables import HUMAN36
from lib.mesh.mesh_model import GENDERS, load_mesh_model
from lib.models.meshnet import MeshNetPlan
from lib.plain import crop
from lib.plain.body import PlainBodyLayer
from lib.plain.camera import CROP_SIZE, fit_camera
from lib.plain.graph import levels_in_use, plain_coarse_graphs
from lib.plain.networks import PlainMeshNet, PlainPose2Mesh, PlainPoseNet
from lib.render.mesh_renderer import render_mesh
from lib.render.opengl import problem

LEVELS = 9
MARGIN = 1.5


def build_network(faces: np.ndarray, joint_set: JointSet, weights: dict[str, torch.Tensor]):
    """Full-size network with weights, and the rows of the real vertices."""
    _, laplacians, _, reverse = plain_coarse_graphs(
        faces, joint_set.joint_num, joint_set.bones, joint_set.graph_links, LEVELS
    )
    mesh_net = PlainMeshNet(levels_in_use(laplacians), MeshNetPlan.paper(joint_set.body).channels)
    network = PlainPose2Mesh(PlainPoseNet(joint_set.joint_num), mesh_net)
    network.load_state_dict(weights)
    return network.eval(), reverse[: int(faces.max()) + 1]


def fit_pose(network, rows: np.ndarray, regressor: np.ndarray, pose: np.ndarray):
    """Mesh (V, 3) metres, camera (s, tx, ty), crop box and residual of a pose (J, 2) in pixels."""
    tight = crop.tight_box(pose)
    box, input_box = crop.process_box(tight, aspect=1.0, scale=1.25), crop.process_box(tight)
    assert box is not None  # the pose is more than a point
    assert input_box is not None
    target, _ = crop.crop_joints(pose, box, size=(CROP_SIZE, CROP_SIZE))
    cropped, _ = crop.crop_joints(pose, input_box)
    with torch.no_grad():
        padded, _ = network(torch.from_numpy(crop.standardise(cropped))[None])
    mesh = padded[0, torch.from_numpy(rows)]
    joints = torch.matmul(torch.from_numpy(regressor), mesh)
    camera, residual = fit_camera(joints, torch.from_numpy(target[:, :2]))
    return mesh.numpy(), camera.numpy(), box, residual


def image_camera(camera: np.ndarray, box: np.ndarray, width: int, height: int) -> np.ndarray:
    scale, shift_x, shift_y = camera
    centre_x, centre_y = box[0] + box[2] / 2, box[1] + box[3] / 2
    scale_x, scale_y = scale * box[3] / width, scale * box[3] / height
    shift_x = (centre_x - width / 2) / (width / 2) / scale_x + shift_x
    shift_y = (centre_y - height / 2) / (height / 2) / scale_y + shift_y
    return np.array([scale_x, scale_y, shift_x, shift_y])


def draw_bones(image: np.ndarray, pose: np.ndarray, bones) -> np.ndarray:
    image, colours = image.copy(), plt.get_cmap("rainbow")(np.linspace(0, 1, len(bones) + 2))
    for (a, b), colour in zip(bones, colours):
        first, second = tuple(int(v) for v in pose[a]), tuple(int(v) for v in pose[b])
        colour = tuple(255 * float(c) for c in colour[2::-1])
        cv2.line(image, first, second, colour, thickness=2, lineType=cv2.LINE_AA)
        for point in (first, second):
            cv2.circle(image, point, radius=3, color=colour, thickness=-1, lineType=cv2.LINE_AA)
    return image


def write_obj(path: Path, vertices: np.ndarray, faces: np.ndarray) -> None:
    with path.open("w") as file:
        for x, y, z in vertices:
            file.write(f"v {x} {y} {z}\n")
        for a, b, c in faces:
            file.write(f"f {a + 1}/{a + 1} {b + 1}/{b + 1} {c + 1}/{c + 1}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="The original's demo of one human36 pose, step by step.")
    parser.add_argument("--weights", type=Path, required=True, help="checkpoint of the full-size network")
    parser.add_argument("--body", default="open_6890", help="mesh model")
    parser.add_argument("--input_pose", type=Path, required=True, help=".npy (17, 2) pixels")
    parser.add_argument("--output", type=Path, required=True, help="folder that exists")
    args = parser.parse_args()

    models = [load_mesh_model("body", args.body) for _ in GENDERS]
    layers = [PlainBodyLayer(model.arrays("neutral")) for model in models]  # made at start, not needed by the demo
    print(f"body layers: {len(layers)}")
    faces, regressor = models[0].faces, models[0].joint_regressor(HUMAN36.name)
    checkpoint = torch.load(args.weights, map_location="cpu", weights_only=True)
    network, rows = build_network(faces, HUMAN36, checkpoint["model_state_dict"])

    pose = np.load(args.input_pose).astype(np.float64)
    mesh, camera, box, residual = fit_pose(network, rows, regressor, pose)
    print(f"camera residual: {residual:.4f} pixels of a {CROP_SIZE}-pixel crop")
    width, height = int(MARGIN * pose[:, 0].max()), int(MARGIN * pose[:, 1].max())
    black = np.zeros((height, width, 3), np.uint8)
    # the original draws with OpenGL; a machine without it takes what there is
    backend = "egl" if problem("egl") is None else "auto"
    picture = render_mesh(mesh, faces, black, image_camera(camera, box, width, height), backend=backend)
    cv2.imwrite(str(args.output / "demo_mesh.png"), picture)
    cv2.imwrite(str(args.output / "demo_pose2d.png"), draw_bones(black, pose, HUMAN36.bones))
    write_obj(args.output / "demo_mesh.obj", mesh, faces)


if __name__ == "__main__":
    main()
