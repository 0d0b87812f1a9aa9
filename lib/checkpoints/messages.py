"""What went wrong with a checkpoint, in the user's terms."""

import pickle
import re
from pathlib import Path

import torch
from torch import Tensor

from lib.checkpoints.reading import Damaged
from lib.graph.building import released_mesh
from lib.messages import one_line


def reading_failure(path: Path, error: Exception) -> str:
    """Why a file could not be read: code refused, file damaged, memory short."""
    refused = re.search(r"GLOBAL (\S+) was not", str(error))
    if refused:
        return (
            f"{path} was refused: it asks to call {refused.group(1)}, which no Pose2Mesh checkpoint needs. "
            "Nothing was executed. Take the file from a source you trust."
        )
    size = path.stat().st_size
    hint = "it is not a checkpoint, or it is cut short or damaged; copy or download it again"
    if size == 0:
        hint = "the file is empty; copy or download it again"
    elif isinstance(error, torch.OutOfMemoryError):
        hint = "there is not enough memory"
    elif isinstance(error, Damaged):
        hint = "it is cut short or damaged; copy or download it again"
    reason = one_line(error, 200) or type(error).__name__
    if isinstance(error, pickle.UnpicklingError):
        reason = f"its pickle holds more than weights and plain numbers, nothing was executed: {reason}"
    return f"{path} ({size} bytes) could not be read: {hint} ({reason})"


def mismatch(state: dict[str, Tensor], wanted: dict[str, Tensor]) -> str:
    """How the weights of a file and a model differ: likely cause, then the first keys; empty when they fit."""
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    shapes = [
        f"{key} is {tuple(state[key].shape)} in the file, {tuple(wanted[key].shape)} in the model"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    types = [
        f"{key} holds {state[key].dtype} in the file, {wanted[key].dtype} in the model"
        for key in wanted
        if key in state and state[key].is_floating_point() != wanted[key].is_floating_point()
    ]
    if not (missing or unexpected or shapes or types):
        return ""
    cause = _cause(state, wanted)
    lines = [cause] if cause else []
    for title, entries in (
        ("missing in the file", missing),
        ("unknown to the model", unexpected),
        ("sizes", shapes),
        ("types", types),
    ):
        if entries:
            more = f" and {len(entries) - 3} more" if len(entries) > 3 else ""
            lines.append(f"{title}: {', '.join(one_line(entry, 100) for entry in entries[:3])}{more}")
    return "\n".join(lines)


def _cause(state: dict[str, Tensor], wanted: dict[str, Tensor]) -> str:
    stage = {True: "Pose2Mesh (both stages)", False: "PoseNet alone"}
    in_file, in_model = ("pose2mesh.fc.weight" in keys for keys in (state, wanted))
    if in_file != in_model and (in_file or "w1.weight" in state):
        return f"The file holds {stage[in_file]}, the model is {stage[in_model]}; see MODEL.name in the settings."
    found = []
    for key in ("w1.weight", "pose_lifter.w1.weight"):
        if key in state and key in wanted:
            (file_width, file_inputs), (width, inputs) = state[key].shape, wanted[key].shape
            if file_inputs != inputs:
                found.append(f"it takes {file_inputs // 2} joints, the model {inputs // 2} (DATASET.input_joint_set)")
            if file_width != width:
                found.append(f"its PoseNet is {file_width} wide, the model's {width} (MODEL.posenet_width)")
    lifters = [{key for key in keys if not key.startswith(("pose2mesh.", "mesh_base."))} for keys in (state, wanted)]
    if lifters[0] and not lifters[0] & lifters[1]:
        found.append("its joints are lifted by another network than the model's (MODEL.lifter)")
    layers = [sum(".cl." in key and key.endswith("weight") for key in keys) for keys in (state, wanted)]
    if layers[0] != layers[1]:
        found.append(f"its MeshNet has {layers[0]} graph convolutions, the model's {layers[1]} (mesh model, channels)")
    elif not found and all({"pose2mesh.fc.weight", "pose_lifter.w1.weight"} <= keys.keys() for keys in (state, wanted)):
        file_size, size = coarse_size(state), coarse_size(wanted)
        if file_size != size:
            found.append(_other_levels(file_size, size))
    return f"The file differs: {'; '.join(found)}." if found else ""


def coarse_size(state: dict[str, Tensor]) -> int:
    """Rows of the coarsest mesh level in use; of all tensors only ``fc`` depends on the sizes of the mesh
    levels. Of weights with a PoseNet, which tells the number of joints."""
    rows, columns = state["pose2mesh.fc.weight"].shape
    joints = state["pose_lifter.w1.weight"].shape[1] // 2
    return rows * joints // columns


def _other_levels(file_size: int, size: int) -> str:
    released = released_mesh(file_size)
    origin = f", as {released}'s official faces give" if released else ""
    return (
        f"its mesh graph starts from {file_size} rows{origin}, the model's from {size}; they belong to meshes "
        "with other faces, or MODEL.graph_levels differs: use the model file that the weights were trained for"
    )
