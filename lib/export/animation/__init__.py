"""Body and hand parameters as moving skeletons for animation: BVH, and glTF with skinned meshes."""

from lib.export.animation.bvh import save_bvh
from lib.export.animation.motion import Motion
from lib.export.animation.skeleton import Skeleton
from lib.export.animation.skinned_glb import save_skinned_glb
from lib.export.animation.skinning import SkinnedDistance, plainly_skinned

__all__ = ["Motion", "Skeleton", "SkinnedDistance", "plainly_skinned", "save_bvh", "save_skinned_glb"]
