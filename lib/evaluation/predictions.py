"""Saved predictions: written batch by batch, and read back to evaluate without a model.

A folder with

    info.json        dataset, model, joint_set, samples, unit "mm", vertices of a mesh
    joints.npy       (N, J, 3) float32, PoseNet's joints, millimetres relative to the root of the joint set
    mesh.npy         (N, V, 3) float32, only of Pose2Mesh, millimetres
    <column>.npy     (N,) identity of the samples, as far as the annotations have it: image, image_id, annotation_id,
                     person_id, db_idx

or one ``.npz`` file with the same arrays by name (and the entries of ``info.json`` as arrays, all optional), which is
read into memory.
"""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import torch

from lib.files import atomic_write, hidden_beside, read_array, read_arrays, read_text
from lib.joints.lookup import get_joint_set
from lib.messages import naming, one_line, shown

IDENTITY = ("image", "image_id", "annotation_id", "person_id", "db_idx")
INFO = ("dataset", "model", "joint_set", "samples", "unit")
_HINT = "TEST.save_predictions True writes result/predictions in a run"
_LONGEST_ITEM = 1 << 13  # bytes of a name
_MOST_INFO = 1 << 20  # bytes
_KINDS = "fiubSU"  # of arrays: numbers, and names of images


def identity(dataset) -> dict[str, np.ndarray]:
    """Columns of a data set's records that say which sample is which."""
    records = dataset.records
    return {} if records is None else {name: np.asarray(records[name]) for name in IDENTITY if name in records}


def prediction_info(dataset, cfg) -> dict:
    """What saved predictions say about themselves."""
    return {
        "dataset": dataset.name,
        "model": cfg.MODEL.name,
        "joint_set": get_joint_set(cfg.DATASET.input_joint_set).name,
        "samples": len(dataset),
        "unit": "mm",
    }


class PredictionWriter:
    """Streams predictions to a folder that appears under its name when it is complete.

    Args:
        folder: to be written; where that exists, a number is appended to its name.
        info: see ``prediction_info``.
        columns: see ``identity``.
    """

    def __init__(self, folder: Path, info: dict, columns: dict[str, np.ndarray]):
        self.folder, self.info, self.columns = folder, info, columns
        self._aside = hidden_beside(folder)
        self._aside.mkdir(parents=True)
        self._arrays: dict[str, np.memmap] = {}

    def add(self, prediction: dict[str, torch.Tensor], batch, indices: np.ndarray) -> None:
        """Add a batch: name -> (B, n, 3) mm, the same names in every batch."""
        for name, values in prediction.items():
            if name not in self._arrays:
                shape = (self.info["samples"], *values.shape[1:])
                self._arrays[name] = np.lib.format.open_memmap(self._aside / f"{name}.npy", "w+", np.float32, shape)
            self._arrays[name][indices] = values.float().cpu().numpy()

    def close(self, complete: bool) -> None:
        """Give the folder its name, or remove what was written of it."""
        for array in self._arrays.values():
            array.flush()
        self._arrays.clear()
        if not complete:
            shutil.rmtree(self._aside)
            return
        for name, column in self.columns.items():
            np.save(self._aside / f"{name}.npy", column)
        with atomic_write(self._aside / "info.json") as stream:
            json.dump(self.info, stream, indent=1)
        number, folder = 1, self.folder
        while folder.exists():
            number += 1
            folder = self.folder.with_name(f"{self.folder.name}_{number}")
        os.replace(self._aside, folder)


class Predictions:
    """Saved predictions of one data set.

    Args:
        path: folder or ``.npz`` file, see the module.

    Attributes:
        arrays: name -> array; those of a folder are memory-mapped.
        info: entries of ``info.json`` that are there.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: not saved predictions.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._said = self.path / "info.json" if self.path.is_dir() else self.path
        if self.path.is_dir():
            self.arrays = {
                file.stem: read_array(file, "an array of saved predictions", _HINT, _KINDS, mmap_mode="r")
                for file in self.path.glob("*.npy")
            }
            self.info = self._read_info(self._said)
        else:
            self.arrays = read_arrays(self.path, wanted="a folder or an .npz file with joints or mesh", hint=_HINT)
            with naming(self.path):
                self.info = {name: self.arrays.pop(name).item() for name in INFO if name in self.arrays}

    @staticmethod
    def _read_info(path: Path) -> dict:
        if not path.is_file():
            return {}
        try:
            info = json.loads(read_text(path, _MOST_INFO))
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{path}: not valid JSON ({one_line(error, 200)})") from error
        if not isinstance(info, dict):
            raise ValueError(f"{path}: expected names and values, found {type(info).__name__}")
        return info

    def check(self, dataset, cfg, wanted: dict[str, int], optional: dict[str, int]) -> None:
        """Compare with what is going to be evaluated.

        Args:
            dataset, cfg: the data set and its settings.
            wanted: array that must be there -> its number of points (joints or vertices).
            optional: likewise, of arrays that are used where they are there; others are not read.

        Raises:
            ValueError: names the first thing that differs.
        """
        expected = prediction_info(dataset, cfg)
        for name, value in self.info.items():
            if name in expected and value != expected[name]:
                raise ValueError(f"{self._said} has {name} {shown(value)}, the settings give {expected[name]!r}")
        wanted = wanted | {name: points for name, points in optional.items() if name in self.arrays}
        for name, points in wanted.items():
            if name not in self.arrays:
                raise ValueError(f"{self.path} has no array {name!r}, which {cfg.MODEL.name} is evaluated by")
            shape = (len(dataset), points, 3)
            if self.arrays[name].shape != shape or self.arrays[name].dtype.kind != "f":
                raise ValueError(
                    f"{self.path}: {name} is {self.arrays[name].dtype} {self.arrays[name].shape}, expected floating "
                    f"point numbers {shape}: {len(dataset)} samples of {dataset.name}"
                )
        for name, column in identity(dataset).items():
            if name in self.arrays:
                self._check_column(name, np.asarray(self.arrays[name]), column)
        self.arrays = {name: array for name, array in self.arrays.items() if name in wanted}

    def _check_column(self, name: str, saved: np.ndarray, column: np.ndarray) -> None:
        if saved.shape != column.shape:
            raise ValueError(f"{self.path}: {name} has shape {saved.shape}, the data set {column.shape}")
        if saved.dtype.kind not in "iufUS" or saved.dtype.itemsize > _LONGEST_ITEM:
            raise ValueError(f"{self.path}: {name} holds {shown(saved.dtype)}; expected whole numbers or texts")
        if saved.dtype.kind == "U":
            with naming(self.path):
                saved = np.char.encode(saved, "utf-8")
        differs = np.flatnonzero(saved != column)
        if len(differs):
            row = differs[0]
            raise ValueError(
                f"{self.path} is of other samples: {name} of sample {row} is {shown(saved[row].item())}, in the data "
                f"set {shown(column[row].item())} ({len(differs)} of {len(column)} differ)"
            )

    def batch(self, indices: np.ndarray, device) -> dict[str, torch.Tensor]:
        """Array name -> (B, n, 3) float32 mm of some samples.

        Raises:
            ValueError: not all numbers are finite.
        """
        found = {}
        for name, array in self.arrays.items():
            values = np.asarray(array[indices], dtype=np.float32)
            if not np.isfinite(values).all():
                row = int(np.flatnonzero(~np.isfinite(values).all(axis=(1, 2)))[0])
                raise ValueError(f"{self.path}: {name} of sample {indices[row]} is not finite")
            found[name] = torch.from_numpy(values).to(device)
        return found
