"""Checks of the open models' arrays, and comparison with other files of the same models. Needs no source package."""

from pathlib import Path

import numpy as np
import torch

from asset.open_body.build import skeleton
from asset.open_body.build.mesh_ops import boundary_loops, surface_counts
from lib.body.lbs import BodyParams, lbs

# Posed regressor errors in mm, mean and 95th percentile, that the recipe reaches
PUBLISHED_ERRORS = {
    "open_body_6890": {"J": (2.9, 8.2), "H36M": (2.0, 5.3), "COCO": (1.5, 4.4)},
    "open_body_1723": {"J": (2.9, 7.9), "H36M": (2.6, 7.1), "COCO": (1.6, 4.6)},
    "open_hand_right": {"J": (0.6, 1.8)},
}
SURFACES = {
    "open_body_6890": {"vertices": 6890, "faces": 13776, "euler": 2, "boundary_edges": 0},
    "open_body_1723": {"vertices": 1723, "faces": 3442, "euler": 2, "boundary_edges": 0},
    "open_hand_right": {"vertices": 778, "faces": 1538, "euler": 1, "boundary_edges": 16},
}
# Rounding differs between BLAS libraries and thread counts: regressors move in their last places (float32), and half
# precision arrays may round to the neighbouring step (float16: shapes, correctives, weights); indices must be equal
TOLERANCES = {"float32": 1e-5, "float16": 1e-4}
HAND_POSE_FREEDOMS = 20  # components beyond them have no variance: any orthonormal rest is as good


def _float64(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {key: x.astype(np.float64) if x.dtype.kind == "f" else x for key, x in arrays.items()}


def symmetry_errors(arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest deviation of each body array from its own mirror image (left and right swapped, x negated)."""
    arrays = _float64(arrays)
    flip, mirror = arrays["flip_vertex_ids"], skeleton.MIRROR
    images = {
        "v_template": arrays["v_template"][flip] * skeleton.FLIP_X,
        "shapedirs": arrays["shapedirs"][flip] * skeleton.FLIP_X[:, None],
        "posedirs": skeleton.mirrored_posedirs(arrays["posedirs"], flip),
        "weights": arrays["weights"][flip][:, mirror],
        "J_regressor": arrays["J_regressor"][mirror][:, flip],
        "J_regressor_h36m": arrays["J_regressor_h36m"][skeleton.MIRROR_H36M][:, flip],
        "J_regressor_coco": arrays["J_regressor_coco"][skeleton.MIRROR_COCO][:, flip],
    }
    return {key: float(np.abs(image - arrays[key]).max()) for key, image in images.items()}


def posed_joint_errors(arrays: dict[str, np.ndarray], count: int = 60) -> np.ndarray:
    """(count, 24) mm between the body layer's joints and those regressed from its vertices, random poses."""
    rng = np.random.default_rng(5)
    betas = torch.from_numpy(rng.standard_normal((count, arrays["shapedirs"].shape[-1])))
    poses = torch.from_numpy(skeleton.random_poses(count, rng).reshape(count, -1))
    vertices, joints = lbs(BodyParams.from_arrays(arrays, torch.float64), poses, betas)
    regressed = np.einsum("jv,bvc->bjc", arrays["J_regressor"].astype(np.float64), vertices.numpy())
    return 1e3 * np.linalg.norm(regressed - joints.numpy(), axis=-1)


def checks(name: str, arrays: dict[str, np.ndarray], errors: dict | None = None) -> list[tuple[str, object, bool]]:
    """All checks of one model as (what, found, passed).

    Args:
        name: ``open_body_6890``, ``open_body_1723`` or ``open_hand_right``.
        arrays: the file's arrays.
        errors: posed regressor errors of a fresh build.
    """
    found = []

    def check(what, value, passed):
        found.append((what, value, bool(passed)))

    counts = surface_counts(arrays["f"].astype(np.int64))
    for key, wanted in (SURFACES[name] | {"components": 1, "irregular_edges": 0, "pinched_vertices": 0}).items():
        check(key, counts[key], counts[key] == wanted)
    values = _float64(arrays)
    row_error = np.abs(values["weights"].sum(axis=1) - 1).max()
    check("skin weight rows' distance from 1", row_error, row_error == 0)
    for key in (key for key in arrays if key.startswith("J_regressor")):
        row_error, lowest = np.abs(values[key].sum(axis=1) - 1).max(), values[key].min()
        check(f"{key} rows' distance from 1", row_error, row_error < 1e-6)
        check(f"{key} lowest weight", lowest, lowest >= 0)
    joint_error = np.abs(values["J_regressor"] @ values["v_template"] - values["J"]).max()
    check("J against J_regressor @ v_template, m", joint_error, joint_error < 1e-6)
    if name.startswith("open_body"):
        for key, error in symmetry_errors(arrays).items():
            check(f"{key} against its mirror image", error, error == 0)
        posed = posed_joint_errors(arrays)
        check("posed joints of the project's layer, mean mm", posed.mean(), posed.mean() < 3.2)
        check("posed joints of the project's layer, p95 mm", np.percentile(posed, 95), np.percentile(posed, 95) < 9)
    else:
        rims = [len(loop) for loop in boundary_loops(arrays["f"].astype(np.int64))]
        check("rims", rims, rims == [16])
        components = values["hands_components"]
        deviation = np.abs(components @ components.T - np.eye(len(components))).max()
        check("hands_components against orthonormal", deviation, deviation < 1e-5)
    for regressor, measured in (errors or {}).items():
        wanted = PUBLISHED_ERRORS[name][regressor]
        text = f"{measured[0]:.2f} / {measured[1]:.2f}"
        check(
            f"{regressor} error mean / p95 mm, published {wanted}",
            text,
            np.abs(np.subtract(measured, wanted)).max() < 0.1,
        )
    return found


def verify(name: str, arrays: dict[str, np.ndarray], errors: dict | None = None) -> bool:
    """Print all checks of one model; whether all passed."""
    results = checks(name, arrays, errors)
    for what, value, passed in results:
        text = f"{value:.2e}" if isinstance(value, float) else value
        print(f"  {'ok  ' if passed else 'FAIL'} {what}: {text}")
    return all(passed for *_, passed in results)


def compare(arrays: dict[str, np.ndarray], path: Path) -> bool:
    """Print the largest difference of each array from a file's; whether all agree to rounding."""
    with np.load(path, allow_pickle=False) as stored:
        reference = dict(stored)
    if "hands_components" in arrays:
        arrays, reference = (
            {**a, "hands_components": a["hands_components"][:HAND_POSE_FREEDOMS]} for a in (arrays, reference)
        )
    agree = set(arrays) == set(reference)
    print(f"  compared with {path}" + ("" if agree else f": other arrays {sorted(set(arrays) ^ set(reference))}"))
    for key in sorted(set(arrays) & set(reference)):
        a, b = arrays[key], reference[key]
        if a.shape != b.shape or a.dtype != b.dtype:
            print(f"  FAIL {key}: {a.shape} {a.dtype}, stored {b.shape} {b.dtype}")
            agree = False
            continue
        difference = np.abs(a.astype(np.float64) - b.astype(np.float64))
        close = difference.max() <= TOLERANCES.get(a.dtype.name, 0)
        changed = f", {int((difference > 0).sum())} of {difference.size} entries" if difference.any() else ""
        print(f"  {'ok  ' if close else 'FAIL'} {key}: largest difference {difference.max():.1e}{changed}")
        agree &= bool(close)
    return agree
