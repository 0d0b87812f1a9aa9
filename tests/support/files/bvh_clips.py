"""BVH text for tests: a tiny hierarchy, clips of the CMU skeleton, and a body to retarget them to."""

import numpy as np

from data.convert.bvh import BvhMotion

TINY = """HIERARCHY
ROOT base
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT arm
  {
    OFFSET 0 2 0
    CHANNELS 3 {order}
    End Site
    {
      OFFSET 1 0 0
    }
  }
  JOINT fixed
  {
    OFFSET 3 0 0
  }
}
MOTION
Frames: 2
Frame Time: 0.05
1 2 3 90 0 0 {angles}
0 0 0 0 0 0 0 0 0
"""
# A body whose limbs point in other directions than CMU's zero pose, as every real body does
REST = np.array(
    [
        [0, 0, 0], [0.1, -0.1, 0], [-0.1, -0.1, 0], [0, 0.1, 0], [0.12, -0.5, 0.02], [-0.12, -0.5, 0.02],
        [0, 0.2, 0], [0.13, -0.9, -0.02], [-0.13, -0.9, -0.02], [0, 0.3, 0], [0.14, -0.95, 0.1],
        [-0.14, -0.95, 0.1], [0, 0.5, 0], [0.05, 0.45, 0], [-0.05, 0.45, 0], [0, 0.6, 0.03], [0.17, 0.45, -0.01],
        [-0.17, 0.45, -0.01], [0.43, 0.44, -0.03], [-0.43, 0.44, -0.03], [0.68, 0.45, -0.02], [-0.68, 0.45, -0.02],
        [0.76, 0.44, -0.02], [-0.76, 0.44, -0.02],
    ]
)  # fmt: skip
CMU_SPINE = [("LowerBack", "Hips"), ("Spine", "LowerBack"), ("Spine1", "Spine")]
CMU_HEAD = [("Neck", "Spine1"), ("Neck1", "Neck"), ("Head", "Neck1")]


def cmu_text(rotations=None, frames: int = 1, fps: float = 30.0, positions=None) -> str:
    """A clip of the CMU skeleton; rotations: joint -> (frames, 3) degrees in file order (Z, Y, X)."""
    sine, cosine = np.sin(np.radians(20.0)), np.cos(np.radians(20.0))
    bones = [(name, parent, (0.0, 2.0, 0.0)) for name, parent in CMU_SPINE + CMU_HEAD]
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        hip = f"{side[0]}HipJoint"
        thigh = (sign * 7 * sine, -7 * cosine, 0.0)
        bones += [
            (hip, "Hips", (0.0, 0.0, 0.0)), (f"{side}UpLeg", hip, (sign * 1.5, -1.5, 0.5)),
            (f"{side}Leg", f"{side}UpLeg", thigh), (f"{side}Foot", f"{side}Leg", thigh),
            (f"{side}ToeBase", f"{side}Foot", (sign * 0.2, -0.4, 2.3)),
            (f"{side}Shoulder", "Spine1", (0.0, 2.0, 0.0)), (f"{side}Arm", f"{side}Shoulder", (sign * 3.0, 1.0, 0.0)),
            (f"{side}ForeArm", f"{side}Arm", (sign * 5.0, 0.0, 0.0)),
            (f"{side}Hand", f"{side}ForeArm", (sign * 3.5, 0.0, 0.0)),
            (f"{side}FingerBase", f"{side}Hand", (sign * 1.7, 0.0, 0.0)),
        ]  # fmt: skip
    children = {}
    for name, parent, offset in bones:
        children.setdefault(parent, []).append((name, offset))
    order, lines = [], ["HIERARCHY"]

    def write(name, offset):
        order.append(name)
        root = "Xposition Yposition Zposition " if name == "Hips" else ""
        lines.extend([f"{'ROOT' if root else 'JOINT'} {name}", "{", "OFFSET {} {} {}".format(*offset)])
        lines.append(f"CHANNELS {6 if root else 3} {root}Zrotation Yrotation Xrotation")
        for child in children.get(name, []):
            write(*child)
        lines.append("}")

    write("Hips", (0.0, 0.0, 0.0))
    positions = np.zeros((frames, 3)) if positions is None else positions
    columns = [positions] + [(rotations or {}).get(name, np.zeros((frames, 3))) for name in order]
    rows = [" ".join(f"{value:.9f}" for value in row) for row in np.concatenate(columns, axis=1)]
    return "\n".join([*lines, "MOTION", f"Frames: {frames}", f"Frame Time: {1 / fps:.9f}", *rows]) + "\n"


def tiny(order="Zrotation Yrotation Xrotation", angles="30 20 10") -> str:
    return TINY.replace("{order}", order).replace("{angles}", angles)


def positions_of(clip: BvhMotion) -> np.ndarray:
    """World position of each joint by forward kinematics, (F, J, 3) file units."""
    positions, rotations = clip.translations(), clip.global_rotations()
    for joint, parent in enumerate(clip.parents):
        if parent >= 0:
            rotated = np.einsum("fij,fj->fi", rotations[:, parent], positions[:, joint])
            positions[:, joint] = positions[:, parent] + rotated
    return positions
