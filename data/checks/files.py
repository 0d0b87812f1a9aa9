"""Files that each data set needs and where they come from, for ``data/verify.py``."""

from dataclasses import dataclass
from pathlib import Path

from data.AMASS.dataset import SUBSETS
from data.Human36M.dataset import PARTS, SUBJECTS
from lib.body.model_file import OFFICIAL_SOURCE, find_model_file
from lib.datasets.motion_files import find_motion
from lib.mesh.mesh_model import MANO_FOLDER, REGRESSOR_FILES, SMPL_FOLDER

_DRIVE = "https://drive.google.com/drive/folders/"
_README = "section Data of https://github.com/hongsukchoi/Pose2Mesh_RELEASE"
_PARSED = {
    "Human36M": "1kgVH-GugrLoc9XyvP6nRoaFpw3TmM5xK",
    "MuCo": "1yL2ey3aWHJnh8f_nhWP--IyC9krAPsQN",
    "PW3D": "1pT0Ix3FxieEQf0HhEbMN1o-DWRzw2Ugh",
    "SURREAL": "1vvJXM0WYzbkjTTVAFsfXRAdyAwAhEPPh",
    "FreiHAND": "1syj8KEGxHV6lXGOStJGJ6qGaIol-4xD7",
}
_FITS = {
    "Human36M": "1s-yywb4zF_OOLMmw1rsYh_VZFilgSrrD",
    "MuCo": "1_JrrbHZICDTe1lqi8S6D_Y1ObmrerAoU",
    "COCO": "1X7OMEGQJOe0Tcn2GvvP1koKkq4yghIzr",
}
_DETECTIONS = {
    "Human36M": "1iRuNa6CqoHbloJ-wFPpW6g72QmP9xZT-",
    "PW3D": "1qt5R4wMTP1FSUtSi52lUke3EQazNkqVh",
    "SURREAL": "1dkHOZwaflluUCPZpbLwio9s3kN1QwHz8",
    "FreiHAND": "1QfAoCNTuQKbFTIoS5p9Hm_4IRdM5xVif",
}
_COCO_SITE = "annotations_trainval2017.zip of https://cocodataset.org/#download"
_AMASS_SITE = "https://amass.is.tue.mpg.de (SMPL+H G files)"
PROTOCOL = 2  # of Human3.6M, whose subjects are looked for


@dataclass(frozen=True)
class NeededFile:
    """A file, what it holds (``annotations``, ``fits``, ``detections``, ``model``) and where to get it."""

    path: Path
    holds: str
    source: str


def annotation_files(name: str, split: str, root: Path) -> list[NeededFile]:
    """The annotation files of a split of a data set; AMASS: what is there, or the pattern when nothing is."""
    folder = root / "data" / name
    if name == "Human36M":
        files = []
        for subject in SUBJECTS[PROTOCOL][split]:
            start = f"annotations/Human36M_subject{subject}"
            files += [(f"{start}_{part}.json", "fits" if part == "smpl_param" else "annotations") for part in PARTS]
        if split == "test":
            files.append(("absnet_output_on_testset.json", "detections"))
    elif name == "MuCo":
        files = [("data/MuCo-3DHP.json", "annotations"), ("data/smpl_param.json", "fits")]
    elif name == "COCO":
        files = [("annotations/person_keypoints_train2017.json", "annotations")]
        files.append(("annotations/coco_smplify_train.json", "fits"))
    elif name == "PW3D":
        files = [(f"data/3DPW_latest_{split}.json", "annotations")]
        files.append((f"data/darkpose_3dpw_{split}set_output.json", "detections"))
    elif name == "SURREAL":
        stem = {"train": "train", "test": "val"}[split]
        files = [(f"data/{stem}.json", "annotations"), (f"data/hrnet_output_on_{stem}set.json", "detections")]
    elif name == "FreiHAND":
        stem = {"train": "train", "test": "eval"}[split]
        files = [(f"data/freihand_{stem}_{part}.json", "annotations") for part in ("coco", "data")]
        files.append((f"data/hrnet_output_on_{split}set.json", "detections"))
    elif name == "AMASS":
        clips = [
            str(path.relative_to(folder))
            for subset in sorted((folder / "data").glob("*"))
            if any(key in subset.name for key in SUBSETS["posenet"])
            for path in find_motion(subset)
        ]
        files = [(clip, "annotations") for clip in clips or ["data/CMU/*/*_poses.npz"]]
    else:
        raise ValueError(f"no data set {name!r} to verify")
    return [NeededFile(folder / file, holds, _source(name, holds)) for file, holds in files]


def model_files(kind: str, gendered: bool, root: Path) -> list[NeededFile]:
    """The body or hand model files and regressors that a data set needs, found or missing."""
    files = []
    if kind == "hand":
        found = find_model_file(root / MANO_FOLDER, "hand", "right")
        return [NeededFile(found or root / MANO_FOLDER / "MANO_RIGHT.pkl", "model", OFFICIAL_SOURCE["hand"])]
    for gender, short in (("neutral", "neutral"), ("female", "f"), ("male", "m"))[: 3 if gendered else 1]:
        found = find_model_file(root / SMPL_FOLDER, "body", gender)
        path = root / SMPL_FOLDER / f"basicModel_{short}_lbs_10_207_0_v1.0.0.pkl"
        files.append(NeededFile(found or path, "model", OFFICIAL_SOURCE["body"]))
    files += [NeededFile(root / path, "model", f"get it from {_README}") for path in REGRESSOR_FILES.values()]
    return files


def _source(name: str, holds: str) -> str:
    if name == "AMASS":
        return f"get it from {_AMASS_SITE}, or convert CMU clips with data/convert/cmu_bvh.py"
    if (name, holds) == ("COCO", "annotations"):
        return f"get it from {_COCO_SITE}"
    folder = {"annotations": _PARSED, "fits": _FITS, "detections": _DETECTIONS}[holds][name]
    made = "; or make it with data/3dpw2coco.py" if (name, holds) == ("PW3D", "annotations") else ""
    return f"get it from {_DRIVE}{folder} ({_README}){made}"
