"""Body and hand parameters as files that tools for SMPL, MANO and AMASS read."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lib.body.joint_prior import joint_prior
from lib.body.rotation import rotate_root
from lib.export.people import PeopleArrays
from lib.files import atomic_write
from lib.geometry.mirror import mirror_points, mirror_pose
from lib.mesh.fit_params import ParamFit, fit_params
from lib.mesh.mesh_model import MeshModel

# joints of SMPL+H, of which the first are SMPL's without the hands
_SMPLH_JOINTS, _SMPLH_BODY = 52, 22
# SMPL's hand joints, and where SMPL+H has the roots of index, middle, little and ring finger: round the same place
_FINGER_ROOTS = {22: (22, 25, 28, 31), 23: (37, 40, 43, 46)}
_ROOT = 3


def params_of(people: PeopleArrays, mesh_model: MeshModel, betas: torch.Tensor | None = None) -> ParamFit:
    """Parameters of people: those of their surfaces, or fitted to a network's vertices and what was smoothed.

    Args:
        people: N rows.
        mesh_model: of their meshes.
        betas: (N, S) shapes that are known, for a fit.
    """
    if people.pose.shape[1]:
        pose, shape, trans = (torch.from_numpy(values) for values in (people.pose, people.betas, people.trans))
        return ParamFit(pose, shape, trans, torch.zeros(len(people)))
    fit = fit_params(people.model_vertices, mesh_model, betas=betas, prior=joint_prior(mesh_model.kind))
    return mirrored_fit(fit, people.left)


def mirrored_fit(fit: ParamFit, left: np.ndarray) -> ParamFit:
    """Parameters of left hands from those of their mirror images, or the other way round; ``left``: which rows."""
    return replace(fit, pose=mirror_pose(fit.pose, left), trans=mirror_points(fit.trans, left))


def save_params(
    path: str | Path,
    fit: ParamFit,
    mesh_model: MeshModel,
    tracks: np.ndarray | None = None,
    frames: Sequence[str] | None = None,
    translation: np.ndarray | None = None,
    gender: str = "neutral",
    left: np.ndarray | None = None,
) -> None:
    """Write the parameters of N people, ``.npz`` arrays or ``.json`` lists by suffix.

    Keys: ``global_orient`` (N, 3), ``body_pose`` (N, 69) of a body or ``hand_pose`` (N, 45) of a hand, ``betas``
    (N, S), ``transl`` (N, 3): what the layers of the ``smplx`` package take (a hand with ``use_pca=False,
    flat_hand_mean=False``). Further ``poses`` (N, 72 or 48), all joints side by side, and ``trans``, the names of
    AMASS; ``residual`` (N,) metres, ``track`` (N,), ``frame`` (N,) text, ``gender`` and ``model`` text; ``left``
    (N,) bool of hands, of which left ones' parameters are the mirrored model's. Angles are axis-angle in radians,
    lengths in metres, in the frame of the vertices that were fitted: x right, y down, z forward for predictions, so
    that standing people have a ``global_orient`` near (pi, 0, 0).

    Args:
        path: ``.npz`` or ``.json``; missing folders are created.
        fit: result of ``fit_params``.
        mesh_model: model that was fitted. Parameters of the open models only fit the open models' files.
        tracks: (N,) numbers of the people; None: -1.
        frames: name of each row's frame; None: empty.
        translation: (N, 3) metres added to the fitted ones, for example ``PeopleArrays.translation`` for the frame of
            the camera.
        gender: of the model file.
        left: (N,) bool, who is a left hand; None: nobody is.

    Raises:
        ValueError: another suffix, lengths that do not agree.
    """
    path = Path(path)
    if path.suffix.lower() not in (".npz", ".json"):
        raise ValueError(f"{path}: parameters are written as .npz or .json, not {path.suffix!r}")
    count = len(fit)
    tracks = np.full(count, -1) if tracks is None else np.asarray(tracks)
    names = np.array([""] * count if frames is None else [str(name) for name in frames])
    trans = _numpy(fit.trans)
    if translation is not None:
        translation = np.asarray(translation, dtype=np.float32)
        if translation.shape != trans.shape:
            raise ValueError(f"{path}: translation {translation.shape} for {count} people")
        trans = trans + translation
    if tracks.shape != (count,) or len(names) != count:
        raise ValueError(f"{path}: {count} people, but {tracks.shape} tracks and {len(names)} frame names")
    pose = _numpy(fit.pose)
    arrays = {
        "global_orient": pose[:, :_ROOT],
        "hand_pose" if mesh_model.kind == "hand" else "body_pose": pose[:, _ROOT:],
        "betas": _numpy(fit.betas),
        "transl": trans,
        "poses": pose,
        "trans": trans,
        "residual": _numpy(fit.residual),
        "track": tracks.astype(np.int64),
        "frame": names,
        "gender": np.array(gender),
        "model": np.array(mesh_model.name),
    }
    if mesh_model.kind == "hand":
        arrays["left"] = np.zeros(count, bool) if left is None else np.asarray(left, dtype=bool)
    if path.suffix.lower() == ".npz":
        _save_arrays(path, arrays)
        return
    with atomic_write(path) as stream:
        json.dump({key: values.tolist() for key, values in arrays.items()}, stream)


def save_amass(
    path: str | Path, fit: ParamFit, mesh_model: MeshModel, fps: float, gender: str = "neutral", smplh: bool = True
) -> None:
    """Write one person's motion as an AMASS file (``<clip>_poses.npz``), z up.

    Keys: ``poses`` (T, 156) in SMPL+H's order (T, 72 without ``smplh``), ``betas`` (S,), ``trans``
    (T, 3) metres, ``dmpls`` (T, 8) zeros, ``gender``, ``mocap_framerate``. The fitted frame (y down, z forward) is
    turned by a right angle about x: z of the file is the camera's up, its y the camera's forward.

    Args:
        path: file to write; missing folders are created.
        fit: one body through T frames, fitted with one shape (``groups`` of ``fit_params``).
        mesh_model: model that was fitted.
        fps: frames per second.
        gender: of the model file.
        smplh: widen to SMPL+H's 52 joints, as AMASS has. Hands are flat. What SMPL's two hand joints turn, which
            SMPL+H lacks, the roots of four fingers turn instead, each about its own knuckle: for a hand that is
            bent by 30 degrees vertices are 3 mm from SMPL's on average, at most 6; spread or twisted 10 mm, at most 18.

    Raises:
        ValueError: a hand, or rows with different shapes.
    """
    pose, betas = _numpy(fit.pose), _numpy(fit.betas)
    if pose.shape[1] != 72:
        raise ValueError(f"{path}: AMASS files hold bodies with 72 pose values, not {pose.shape[1]}")
    if np.abs(betas - betas[0]).max() > 1e-5:
        raise ValueError(f"{path}: AMASS files hold one shape; fit with the same group for all frames")
    # x stays, up is -y of the picture, forward stays forward
    turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=np.float32)
    params = mesh_model.params(gender)
    pelvis = _numpy(params.J_template[0] + params.J_shapedirs[0] @ fit.betas[0].cpu())  # the root turns about it
    root = rotate_root(torch.from_numpy(turn).expand(len(pose), 3, 3), torch.from_numpy(pose[:, :_ROOT].copy()))
    pose = np.concatenate([root.numpy(), pose[:, _ROOT:]], axis=1)
    if smplh:
        pose = _on_smplh_joints(pose)
    _save_arrays(
        Path(path),
        {
            "poses": pose,
            "betas": betas[0],
            "trans": (_numpy(fit.trans) + pelvis) @ turn.T - pelvis,
            "dmpls": np.zeros((len(pose), 8), np.float32),
            "gender": np.array(gender),
            "mocap_framerate": np.array(float(fps)),
        },
    )


def _on_smplh_joints(pose: np.ndarray) -> np.ndarray:
    """SMPL poses (T, 72) as SMPL+H has them (T, 156)."""
    joints = pose.reshape(len(pose), -1, 3)
    wide = np.zeros((len(pose), _SMPLH_JOINTS, 3), np.float32)
    wide[:, :_SMPLH_BODY] = joints[:, :_SMPLH_BODY]
    for hand, roots in _FINGER_ROOTS.items():
        wide[:, roots] = joints[:, hand, None]
    return wide.reshape(len(pose), -1)


def _save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with atomic_write(path, "wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # NumPy declares allow_pickle, a bool, among them


def _numpy(tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
