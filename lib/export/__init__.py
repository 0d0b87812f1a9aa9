"""What the predictions are written as: meshes, arrays, body parameters, web pages, videos.

All files are written aside and renamed, so that a name holds a complete file or what was there before.
"""

from lib.export.arrays import NpzWriter, load_npz, save_npz
from lib.export.cameras import default_focal, full_perspective, place_people, project_perspective
from lib.export.meshes import MESH_FORMATS, save_mesh
from lib.export.page import Shot, save_html
from lib.export.params import params_of, save_amass, save_params
from lib.export.people import PeopleArrays
from lib.export.video import VideoWriter

__all__ = [
    "MESH_FORMATS",
    "NpzWriter",
    "PeopleArrays",
    "Shot",
    "VideoWriter",
    "default_focal",
    "full_perspective",
    "load_npz",
    "params_of",
    "place_people",
    "project_perspective",
    "save_amass",
    "save_html",
    "save_mesh",
    "save_npz",
    "save_params",
]
