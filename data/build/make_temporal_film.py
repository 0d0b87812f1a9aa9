r"""Make the film of sequences: one clip lifted frame by frame, with One-Euro filters, and by the temporal lifter.

    python data/convert/cmu_bvh.py --input cmu_bvh --output heldout --fps 30 --split heldout
    python data/build/make_temporal_film.py --motion heldout/CMU/02/02_07_poses.npz --frames 60 180 --azimuth 240 \
        --seed 1

As the film of the README, with a detector's gross errors: misses that stay for some frames, limbs that are swapped.
Five panels: the 2D joints that the demo is given; what it makes of them with ``--temporal off``, with that and
``--smooth``, and by itself, all from the side, where wrong depths show, at the true mean distance; and the true body
from that side, in grey.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.build.make_film import COLOURS, STEP, captioned, drawn_body, drawn_joints, film_parser, lift, seen_bodies
from lib.datasets.sequences.errors import SequenceErrors
from lib.demo.picture_files import save_image
from lib.export.video import VideoWriter
from lib.geometry.boxes import CROP_HEIGHT, CROP_WIDTH
from lib.joints.lookup import get_joint_set
from lib.render.mesh_renderer import MeshRenderer

WAYS = {
    "frame by frame": {"temporal": "off"},
    "One-Euro": {"temporal": "off", "smooth": "both"},
    "temporal": {"temporal": "on"},
}


def _beside(found: np.ndarray, bodies: np.ndarray) -> np.ndarray:
    """Bodies (T, V, 3) moved along the line of sight so that their mean distance is the true one, which no 2D tells."""
    return found + np.array([0, 0, bodies[..., 2].mean() - found[..., 2].mean()])


def main(arguments: list[str] | None = None) -> None:
    parser = film_parser(__doc__, 120, "temporal.gif")
    parser.add_argument("--seed", type=int, default=0, help="of the 2D errors")
    options = parser.parse_args(arguments)
    bodies, pose2d, focal = seen_bodies(options.motion, slice(*options.frames), options.azimuth)
    joint_set = get_joint_set("coco")
    errors = SequenceErrors(joint_set, (CROP_WIDTH, CROP_HEIGHT), "errors")
    complete = torch.from_numpy(joint_set.add_derived(pose2d)).float()[None]
    noisy = errors(complete, torch.Generator().manual_seed(options.seed))[0][0, :, : joint_set.keypoint_num].numpy()
    results = {title: lift(noisy, options.fps, focal, **way) for title, way in WAYS.items()}
    faces = next(iter(results.values()))["faces"]
    placed = [_beside(result["vertices"] + result["translation"][:, None], bodies) for result in results.values()]
    with MeshRenderer(pictures=3 * len(noisy)) as renderer, VideoWriter(options.output, options.fps / STEP) as film:
        for number in range(0, len(noisy), STEP):
            drawn = [drawn_body(found[number], faces, focal, renderer, True, COLOURS[0]) for found in placed]
            drawn.append(drawn_body(bodies[number], faces, focal, renderer, True, COLOURS[1]))
            picture = captioned([drawn_joints(noisy[number]), *drawn], ["2D joints in", *results, "true body"])
            film.write(picture)
            if options.still and number == len(noisy) // 2 // STEP * STEP:
                save_image(options.still, picture)
    print(f"{options.output}: {film.count} frames, {options.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
