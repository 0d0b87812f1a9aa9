"""The original release's module name; the code lives in ``lib.render.poses``."""

# ruff: noqa: F401
from lib.render.poses import draw_pose, vis_2d_keypoints, vis_2d_pose, vis_3d_pose, vis_coco_skeleton
