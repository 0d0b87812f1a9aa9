"""A body model as a file that the ``smplx`` package (0.1) loads as it is.

    python -m lib.export.smplx_model --body open_1723 --output models/smpl/SMPL_NEUTRAL.pkl

Then ``smplx.create("models", model_type="smpl")`` gives our vertices for the parameters of ``--save params``, the first
ones of its ``vertices``: the package picks 21 further joints by their numbers in SMPL's mesh, so smaller meshes are
filled up with vertices of no face. Those 21 joints mean nothing on another mesh; the first 24 are right.
"""

import argparse
import pickle
from pathlib import Path

import numpy as np

from lib.files import atomic_write
from lib.mesh.mesh_model import MeshModel, load_mesh_model

_LEAST_VERTICES = 6890  # that the package counts on


def save_smplx_model(path: str | Path, mesh_model: MeshModel) -> None:
    """Write a body model.

    Args:
        path: ``.pkl``; missing folders are created.
        mesh_model: a body.

    Raises:
        ValueError: a hand, another suffix.
    """
    path = Path(path)
    if mesh_model.kind != "body" or path.suffix != ".pkl":
        raise ValueError(f"{path}: smplx takes bodies as .pkl, not {mesh_model.name} as {path.suffix or 'no suffix'}")
    arrays = mesh_model.arrays()
    missing = max(_LEAST_VERTICES - mesh_model.vertex_num, 0)
    per_vertex = {
        key: np.asarray(arrays[key], np.float64) for key in ("v_template", "shapedirs", "posedirs", "weights")
    }
    filled = {key: np.concatenate([values, values[:1].repeat(missing, 0)]) for key, values in per_vertex.items()}
    regressor = np.pad(np.asarray(arrays["J_regressor"], np.float64), ((0, 0), (0, missing)))
    tree, faces = np.asarray(arrays["kintree_table"], np.int64), np.asarray(arrays["f"], np.uint32)
    content = {
        **filled,
        "J_regressor": regressor,
        "kintree_table": tree,
        "f": faces,
        "bs_type": "lrotmin",
        "bs_style": "lbs",
    }
    with atomic_write(path, "wb") as stream:
        pickle.dump(content, stream, protocol=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--body", default="open_1723", help="body model (default: open_1723)")
    parser.add_argument("--output", required=True, help=".pkl file to write")
    args = parser.parse_args()
    save_smplx_model(args.output, load_mesh_model("body", args.body))
    print(f"Wrote: {args.output}")


if __name__ == "__main__":
    main()
