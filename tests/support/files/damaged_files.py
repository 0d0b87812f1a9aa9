"""Damaged copies of the tiny set."""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from lib.datasets.registry import dataset_class
from lib.mesh.mesh_model import MeshModel, load_mesh_model
from lib.settings.reading import merge

# data set -> split and joint set that read the most files
SPLITS = {
    "Human36M": ("test", "human36"),
    "MuCo": ("train", "coco"),
    "COCO": ("train", "coco"),
    "PW3D": ("test", "coco"),
    "AMASS": ("train", "coco"),
    "SURREAL": ("test", "smpl"),
    "FreiHAND": ("train", "mano"),
}
JSON_SETS = tuple(name for name in SPLITS if name != "AMASS")
DETECTED = ("Human36M", "PW3D", "SURREAL", "FreiHAND")
MISSING = object()


@lru_cache
def mesh_model(root: Path, kind: str) -> MeshModel:
    """A stand-in for the licensed models."""
    return load_mesh_model(kind, "mano" if kind == "hand" else "smpl", root)


class Damaged:
    """A data set of the tiny set whose files may be damaged.

    Args:
        tiny_root: the sound set; not written to.
        folder: becomes the root of the copy.
        name: of the data set.
        mode: split; default as in ``SPLITS``.
    """

    def __init__(self, tiny_root: Path, folder: Path, name: str, mode: str = "", **settings):
        split, joint_set = SPLITS[name]
        self.name, self.root, self.mode = name, folder, mode or split
        self.settings = {"input_joint_set": joint_set, "use_gt_input": False, "cache": "", **settings}
        self.models = tiny_root
        self.files = [folder / path.relative_to(tiny_root) for path in self.build(tiny_root).files()]
        self.restore()

    def restore(self) -> None:
        """Make all files sound again."""
        for path in self.files:
            if path.is_dir():
                path.rmdir()
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.models / path.relative_to(self.root), path)

    def build(self, root: Path | None = None, model: str = "posenet"):
        """The data set."""
        target = {"smpl": "smpl", "mano": "mano"}.get(self.settings["input_joint_set"], "human36")
        cfg = merge({"DATASET": {"target_joint_set": target, **self.settings}, "MODEL": {"name": model}})
        body = mesh_model(self.models, "hand" if target == "mano" else "body")
        return dataset_class(self.name)(self.mode, cfg, model=body, root=root or self.root)

    def file(self, words: str) -> Path:
        """The file whose name ends so, or the first one."""
        return next(path for path in self.files if path.name.endswith(words)) if words else self.files[0]

    def edit(self, words: str, change: Callable) -> None:
        """Change the content of a JSON file in place."""
        path = self.file(words)
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")

    def put(self, words: str, keys: tuple, value) -> None:
        """Replace what lies at ``keys`` in a JSON file; a function of the old value, or ``MISSING``, may be given."""
        self.edit(words, lambda content: put(content, keys, value))

    def kept(self, number: int = 0) -> int:
        """Annotation id of a sample of the sound set."""
        return int(self.build(self.models).records["annotation_id"][number])

    def entries(self, key: str) -> list[dict]:
        """Images or annotations of the first file."""
        return json.loads(self.files[0].read_text(encoding="utf-8"))[key]


def put(content, keys: tuple, value) -> None:
    """See ``Damaged.put``."""
    for key in keys[:-1]:
        content = content[key]
    if value is MISSING:
        del content[keys[-1]]
    else:
        content[keys[-1]] = value(content[keys[-1]]) if callable(value) else value


def places(content, prefix: tuple = ()) -> Iterator[tuple]:
    """Key paths to one value of each kind in JSON content: first entries of lists and of tables with ids as keys."""
    if prefix:
        yield prefix
    keys: list = []
    if isinstance(content, dict):
        table = all(key.isdigit() or key.endswith(".jpg") for key in content)
        keys = list(content)[: 1 if table else None]
    elif isinstance(content, list):
        keys = [0] if content else []
    for key in keys:
        yield from places(content[key], (*prefix, key))
