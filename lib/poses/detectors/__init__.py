"""Tools that find people in pictures: MediaPipe (``lib.poses.detector``) and RTMPose, chosen by name."""

from .table import TOOLS, PoseDetector, Tool, choose_tool

__all__ = ["TOOLS", "PoseDetector", "Tool", "choose_tool"]
