"""Settings of the demo; the help text of ``demo/run.py`` explains them to users."""

from dataclasses import dataclass
from pathlib import Path

from lib import ROOT
from lib.poses.missing import JOINT_SCORE
from lib.settings.setting import FLOAT32

PICTURE_FORMATS = ("obj", "glb", "ply", "npz", "params", "bvh", "rigged", "html")
SEQUENCE_FORMATS = ("mp4", "gif", "npz", "params", "amass", "bvh", "rigged", "html", "obj", "glb", "ply", "png")
PARAM_FORMATS = ("params", "amass", "bvh", "rigged")  # what body parameters are written as
VIDEO_FORMATS = ("mp4", "gif")  # of them; with a turntable of pictures too
AUTO, ON, OFF = TEMPORAL = ("auto", "on", "off")
SMOOTHING = ("input", "output", "both")


@dataclass(frozen=True)
class DemoOptions:
    """Command-line options of ``demo/run.py``.

    Attributes:
        input_pose: file or folder of 2D poses; None: a sample pose, or what ``detect`` finds; ``.``: the sample scene.
        format: file format or joints of ``input_pose`` (``lib.poses.read_poses``).
        joint_set: name or joint set file.
        hand_side: ``left`` or ``right``, which hands they all are where the file does not say; None: right ones.
        hands: put hands of the hand network beside the bodies.
        input_img: image, folder of images or video.
        detect: find the poses in ``input_img`` (``lib.poses.detectors``).
        detector: ``auto`` or a key of ``lib.poses.detectors.TOOLS``.
        detector_model: file or folder of its models; None: its own.
        input_pose3d: ``.npy`` (J, 3) or (N, J, 3) of 3D joints in the joint set's order, in ``unit``.
        unit: ``mm`` or ``m``.
        video: the frames follow each other in time, an array (N, J, 2) is N frames of one person.
        photos: frames are unrelated pictures, whatever their names.
        check_input: draw the named joints and stop.
        joint_score: largest score of a missing joint (``--min_score``).
        fill: fill missing joints; else people who miss some are left out.
        people: numbers of those to lift, as in the names of the files: of pictures their places in the input, of
            sequences their tracks; empty: everybody.
        turntable: film the meshes from all round.
        save: formats to write; empty: obj and glb of pictures, mp4 and npz of sequences.
        focal: focal length in pixels; None: the image's diagonal.
        fps: frames per second; None: the video's, or 30.
        smooth: "" or one of ``SMOOTHING``: One-Euro filter on 2D poses, on meshes and cameras, or on both.
        temporal: lift each person's frames together: one of ``TEMPORAL``, or the path of a temporal lifter's weights;
            ``auto`` where it is possible.
        constant_shape: one body shape for each person of a sequence.
        output: folder of the results.
        mesh: ``auto``, ``network``, ``fitted`` or ``refined``, see ``lib.predictor.Pose2MeshPredictor``.
        height: metres, of the people; None: unknown.
        betas: (S,) their shape; empty: unknown.
        device, precision, weights, body, root: see ``lib.predictor.Pose2MeshPredictor``.
        renderer: see ``lib.render.mesh_renderer.MeshRenderer``.
        seed: picks the first person's colour.
    """

    input_pose: Path | None = None
    format: str | None = None
    joint_set: str = "coco"
    hand_side: str | None = None
    hands: bool = False
    input_img: Path | None = None
    detect: bool = False
    detector: str = "auto"
    detector_model: Path | None = None
    input_pose3d: Path | None = None
    unit: str = "mm"
    video: bool = False
    photos: bool = False
    check_input: bool = False
    joint_score: float = JOINT_SCORE
    fill: bool = True
    people: tuple[int, ...] = ()
    turntable: bool = False
    save: tuple[str, ...] = ()
    focal: float | None = None
    fps: float | None = None
    smooth: str = ""
    temporal: str = AUTO
    constant_shape: bool = False
    output: Path = ROOT / "demo" / "result"
    mesh: str = "auto"
    height: float | None = None
    betas: tuple[float, ...] = ()
    device: str = "auto"
    precision: str = FLOAT32
    weights: Path | None = None
    body: str | None = None
    renderer: str = "auto"
    seed: int = 0
    root: Path = ROOT

    @property
    def input_name(self) -> str:
        """What errors about the input are about."""
        if str(self.input_pose) == ".":
            return "the sample scene"
        return str(self.input_pose or self.input_pose3d or self.input_img or "the sample pose")

    @property
    def turntable_formats(self) -> tuple[str, ...]:
        """File formats of turntables."""
        chosen = tuple(kind for kind in VIDEO_FORMATS if kind in self.save) or VIDEO_FORMATS[:1]
        return chosen if self.turntable else ()

    def formats(self, is_video: bool) -> tuple[str, ...]:
        """What to write beside turntables.

        Raises:
            ValueError: a format that pictures or sequences do not have.
        """
        known = SEQUENCE_FORMATS if is_video else PICTURE_FORMATS + (VIDEO_FORMATS if self.turntable else ())
        if not self.save:
            return ("mp4", "npz") if is_video else ("obj", "glb")
        for name in self.save:
            if name not in known:
                other = "a sequence" if name in SEQUENCE_FORMATS else ""
                why = f"{name} needs {other} (see --video)" if other and not is_video else f"unknown format {name!r}"
                raise ValueError(f"--save {','.join(self.save)}: {why}; choose from {', '.join(known)}")
        return tuple(name for name in dict.fromkeys(self.save) if is_video or name not in VIDEO_FORMATS)
