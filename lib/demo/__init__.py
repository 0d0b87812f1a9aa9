"""The demo: from a detector's file, a photo or a video to meshes, pictures, parameters, pages and films."""

from lib.demo.command import run_demo
from lib.demo.inputs import sample_pose_path
from lib.demo.options import DemoOptions

__all__ = ["DemoOptions", "run_demo", "sample_pose_path"]
