"""The four built-in joint sets (the one table of these facts in the project).

Users' own sets are files, see ``lib/joints/files.py``.

Source: joint orders of Human3.6M, COCO, SMPL and FreiHAND/MANO as used by Pose2Mesh (ECCV 2020, section 3 and
figure 3). Indices are 0-based.
"""

from lib.joints.joint_set import JointSet

_H36M_FLIP = ((1, 4), (2, 5), (3, 6), (14, 11), (15, 12), (16, 13))
_COCO_FLIP = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
_SMPL_FLIP = ((1, 2), (4, 5), (7, 8), (10, 11), (13, 14), (16, 17), (18, 19), (20, 21), (22, 23))

HUMAN36 = JointSet(
    name="human36",
    joints=(
        "Pelvis", "R_Hip", "R_Knee", "R_Ankle", "L_Hip", "L_Knee", "L_Ankle", "Torso", "Neck", "Nose", "Head",
        "L_Shoulder", "L_Elbow", "L_Wrist", "R_Shoulder", "R_Elbow", "R_Wrist",
    ),
    root=0,
    bones=(
        (0, 7), (7, 8), (8, 9), (9, 10), (8, 11), (11, 12), (12, 13), (8, 14), (14, 15), (15, 16),
        (0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6),
    ),
    graph_links=_H36M_FLIP,
    flip_pairs=_H36M_FLIP,
    eval_joints=(1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16),
)  # fmt: skip

COCO = JointSet(
    name="coco",
    joints=(
        "Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist",
        "R_Wrist", "L_Hip", "R_Hip", "L_Knee", "R_Knee", "L_Ankle", "R_Ankle", "Pelvis", "Neck",
    ),
    root=17,
    bones=(
        (1, 2), (0, 1), (0, 2), (2, 4), (1, 3), (6, 8), (8, 10), (5, 7), (7, 9), (12, 14), (14, 16), (11, 13),
        (13, 15), (17, 11), (17, 12), (17, 18), (18, 5), (18, 6), (18, 0),
    ),
    graph_links=_COCO_FLIP,
    flip_pairs=_COCO_FLIP,
    eval_joints=tuple(range(19)),
    derived=((17, (11, 12)), (18, (5, 6))),
)  # fmt: skip

SMPL = JointSet(
    name="smpl",
    joints=(
        "Pelvis", "L_Hip", "R_Hip", "Torso", "L_Knee", "R_Knee", "Spine", "L_Ankle", "R_Ankle", "Chest", "L_Toe",
        "R_Toe", "Neck", "L_Thorax", "R_Thorax", "Head", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow",
        "L_Wrist", "R_Wrist", "L_Hand", "R_Hand",
    ),
    root=0,
    bones=(
        (0, 1), (1, 4), (4, 7), (7, 10), (0, 2), (2, 5), (5, 8), (8, 11), (0, 3), (3, 6), (6, 9), (9, 14), (14, 17),
        (17, 19), (19, 21), (21, 23), (9, 13), (13, 16), (16, 18), (18, 20), (20, 22), (9, 12), (12, 15),
    ),
    graph_links=_SMPL_FLIP,
    flip_pairs=_SMPL_FLIP,
    eval_joints=tuple(range(24)),
)  # fmt: skip

MANO = JointSet(
    name="mano",
    joints=(
        "Wrist", "Thumb_1", "Thumb_2", "Thumb_3", "Thumb_4", "Index_1", "Index_2", "Index_3", "Index_4", "Middle_1",
        "Middle_2", "Middle_3", "Middle_4", "Ring_1", "Ring_2", "Ring_3", "Ring_4", "Pinky_1", "Pinky_2", "Pinky_3",
        "Pinky_4",
    ),
    root=0,
    bones=(
        (0, 1), (0, 5), (0, 9), (0, 13), (0, 17), (1, 2), (2, 3), (3, 4), (5, 6), (6, 7), (7, 8), (9, 10), (10, 11),
        (11, 12), (13, 14), (14, 15), (15, 16), (17, 18), (18, 19), (19, 20),
    ),
    graph_links=(
        (1, 5), (5, 9), (9, 13), (13, 17), (2, 6), (6, 10), (10, 14), (14, 18), (3, 7), (7, 11), (11, 15), (15, 19),
        (4, 8), (8, 12), (12, 16), (16, 20),
    ),
    flip_pairs=(),
    eval_joints=tuple(range(21)),
    body="hand",
)  # fmt: skip

JOINT_SETS: dict[str, JointSet] = {s.name: s for s in (HUMAN36, COCO, SMPL, MANO)}
