"""Plausible hand poses: finger curl, spread and thumb opposition within a human hand's range of motion.

No motion data is involved: each joint turns about the anatomical axes that the open hand's rest joints define, with
ranges from the usual goniometric tables (knuckle 90, middle joint 110, end joint 80 degrees of flexion).
"""

import math
from dataclasses import dataclass, fields

import numpy as np
import torch

from lib import ROOT
from lib.body.rotation import axis_angle_to_matrix, matrix_to_axis_angle, quaternion_to_matrix
from lib.files import read_arrays

HAND_MODEL_FILE = ROOT / "asset" / "open_body" / "open_hand_right.npz"

# Finger joints in MANO's order; the model's other order (fingertips) runs from thumb to little finger.
_FINGERS = {"index": (1, 2, 3), "middle": (4, 5, 6), "little": (7, 8, 9), "ring": (10, 11, 12), "thumb": (13, 14, 15)}
_TIP_ORDER = ("thumb", "index", "middle", "ring", "little")
_LONG = ("index", "middle", "ring", "little")

# The right hand lies flat: fingers along -x, palm down (-y). Fingers flex towards the palm, the thumb across it.
_PALM = (0.0, -1.0, 0.0)
_THUMB_BASE, _THUMB_REST = (-0.6, -0.75, -0.25), (-0.75, -0.35, -0.55)

# How far a finger swings sideways when the hand spreads by one degree, about the back of the hand (+y)
_SPREAD = (1.3, 0.3, -0.6, -1.4)
# Tendons couple neighbours: a finger's curl is a mean over index, middle, ring and little finger
_COUPLING = ((0.85, 0.15, 0.0, 0.0), (0.1, 0.8, 0.1, 0.0), (0.0, 0.15, 0.7, 0.15), (0.0, 0.0, 0.3, 0.7))

# Clearance between thumb and fingers (metres between points on the bones): nearer ones are drawn again
_CLEARANCE = 0.013
_ROUNDS = 3


@dataclass(frozen=True)
class HandPosePrior:
    """Distribution of right-hand poses in MANO's format.

    Attributes:
        flexion, abduction: (16, 3) unit axes of each joint in the rest pose (zero for the wrist).
        offsets: (16, 3) rest position of each joint relative to its parent, metres.
        tips: (5, 3) fingertips relative to the last joint, in the order of ``_FINGERS``, metres.
        mean: (45,) the mean finger pose, which MANO-style layers add to their input.
    """

    flexion: torch.Tensor
    abduction: torch.Tensor
    offsets: torch.Tensor
    tips: torch.Tensor
    mean: torch.Tensor

    @classmethod
    def load(cls, path=None) -> "HandPosePrior":
        """Take axes and mean pose from a hand model (default: the open hand in ``asset/open_body``).

        Raises:
            FileNotFoundError: no such file.
            ValueError: arrays are missing.
        """
        keys = ("J", "v_template", "fingertip_vertex_ids", "hands_mean")
        hint = "asset/open_body/ holds the open hand of this repository"
        stored = read_arrays(HAND_MODEL_FILE if path is None else path, keys, "a hand model", hint)
        joints, vertices, tip_ids, mean = (stored[key].astype(np.float64) for key in keys)
        tip_of = dict(zip(_TIP_ORDER, vertices[tip_ids.astype(int)]))
        offsets, flexion, abduction = np.zeros((3, 16, 3))
        for finger, chain in _FINGERS.items():
            points = [joints[0], *joints[list(chain)], tip_of[finger]]
            for place, joint in enumerate(chain):
                offsets[joint] = points[place + 1] - points[place]
                bone = points[place + 2] - points[place + 1]
                goal = _PALM if finger != "thumb" else _THUMB_REST if place else _THUMB_BASE
                flexion[joint] = _unit(np.cross(bone, goal))
                abduction[joint] = _unit(np.cross(bone, flexion[joint]))
        tips = np.array([tip_of[finger] - joints[chain[-1]] for finger, chain in _FINGERS.items()])
        arrays = (flexion, abduction, offsets, tips, mean)
        return cls(*(torch.from_numpy(array).float() for array in arrays))

    def sample(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draw hand poses.

        Args:
            count: number of poses.
            generator: source of randomness; its device is where the poses are drawn.

        Returns:
            (count, 48) float32 axis-angle, radians: wrist orientation uniform over all rotations, then 15 finger
            joints relative to the mean pose, as MANO-style layers (``flat_hand_mean=False``) and files have them.
        """
        prior = self.to(generator.device)
        rotations = prior._fingers(count, generator)
        for _ in range(_ROUNDS):
            # the same number of draws in every round: results do not depend on which poses collide
            again = prior._fingers(count, generator)
            collides = prior.clearance(rotations) < _CLEARANCE
            rotations = torch.where(collides[:, None, None, None], again, rotations)
        wrist = matrix_to_axis_angle(quaternion_to_matrix(_normal(generator, count, 4)))
        fingers = matrix_to_axis_angle(rotations[:, 1:]).flatten(1) - prior.mean
        return torch.cat([wrist, fingers], dim=1)

    def clearance(self, rotations: torch.Tensor) -> torch.Tensor:
        """Smallest distance (B,) in metres between the thumb's outer bones and the fingers' bones, by points on them.

        Args:
            rotations: (B, 16, 3, 3) relative to the parent joint.
        """
        count = len(rotations)
        chains = torch.tensor(list(_FINGERS.values()), device=rotations.device)
        turn = torch.eye(3, device=rotations.device).expand(count, 5, 3, 3)
        at = torch.zeros(count, 5, 3, device=rotations.device)
        ends = []
        for place in range(4):
            offset = self.offsets[chains[:, place]] if place < 3 else self.tips
            at = at + (turn @ offset[..., None]).squeeze(-1)
            ends.append(at)
            if place < 3:
                turn = turn @ rotations[:, chains[:, place]]
        bones = torch.stack(ends, dim=2)
        steps = torch.linspace(0.0, 1.0, 4, device=rotations.device)[:, None]
        points = bones[:, :, :-1, None] * (1.0 - steps) + bones[:, :, 1:, None] * steps
        thumb, fingers = points[:, 4, 1:].flatten(1, 2), points[:, :4].flatten(1, 3)
        return torch.cdist(thumb, fingers).flatten(1).min(dim=1).values

    def _fingers(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Joint rotations (count, 16, 3, 3) relative to the flat hand; the wrist's is the identity."""
        curl = _draw_curl(count, generator)
        flex, swing = torch.zeros(2, count, 16, device=generator.device)
        # a hand may bend at the knuckles with straight fingers, or curl the fingers with straight knuckles
        shift = 0.2 * _normal(generator, count, 1)
        knuckle = (80.0 * (curl + shift) + 8.0 * _normal(generator, count, 4)).clamp(-15.0, 90.0)
        middle = (105.0 * (curl - shift) + 8.0 * _normal(generator, count, 4)).clamp(-5.0, 110.0)
        end = (0.6 * middle + 7.0 * _normal(generator, count, 4)).clamp(-8.0, 80.0)
        spread = (3.0 + 6.0 * _normal(generator, count, 1)) * curl.new_tensor(_SPREAD)
        spread = (spread + 3.0 * _normal(generator, count, 4)).clamp(-20.0, 20.0)
        # bent fingers cannot be spread: the knuckles' ligaments are taut
        sideways = spread * (1.0 - 0.8 * (knuckle / 90.0).clamp(0.0, 1.0))
        first, second, third = (list(joints) for joints in zip(*(_FINGERS[finger] for finger in _LONG)))
        flex[:, first], flex[:, second], flex[:, third], swing[:, first] = knuckle, middle, end, sideways

        base, rest, tip = _FINGERS["thumb"]
        across = (0.6 * curl.mean(dim=1) + 0.1 + 0.4 * _normal(generator, count)).clamp(-0.3, 1.2)
        flex[:, base] = (32.0 * across + 8.0 * _normal(generator, count)).clamp(-20.0, 45.0)
        swing[:, base] = (10.0 * _normal(generator, count)).clamp(-20.0, 20.0)
        flex[:, rest] = (30.0 * across + 12.0 * _normal(generator, count)).clamp(-15.0, 60.0)
        flex[:, tip] = (35.0 * across + 20.0 * _normal(generator, count)).clamp(-20.0, 80.0)

        flex, swing = torch.deg2rad(flex)[..., None], torch.deg2rad(swing)[..., None]
        back = torch.zeros_like(self.abduction)
        back[first, 1] = 1.0
        back[base] = self.abduction[base]
        return axis_angle_to_matrix(swing * back) @ axis_angle_to_matrix(flex * self.flexion)

    def to(self, device) -> "HandPosePrior":
        """The same prior on another device."""
        return HandPosePrior(*(getattr(self, field.name).to(device) for field in fields(self)))


def _draw_curl(count: int, generator: torch.Generator) -> torch.Tensor:
    """How far index, middle, ring and little finger are curled, (count, 4): 0 straight, 1 closed.

    Three manners, mixed: all fingers together (from open hand to fist), each for itself, and gestures in which every
    finger is either stretched or closed.
    """
    together = 1.05 * _uniform(generator, count, 1) ** 1.3 + 0.12 * _normal(generator, count, 4)
    apart = _uniform(generator, count, 4) ** 1.2 @ together.new_tensor(_COUPLING).T
    closed = _uniform(generator, count, 4) < 0.5
    gesture = torch.where(closed, 0.85, 0.08) + 0.08 * _normal(generator, count, 4)
    manner = _uniform(generator, count, 1)
    curl = torch.where(manner < 0.45, together, torch.where(manner < 0.75, apart, gesture))
    return curl.clamp(-0.1, 1.05)


def _uniform(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=generator, device=generator.device)


def _normal(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, device=generator.device)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / math.sqrt(float(vector @ vector))
