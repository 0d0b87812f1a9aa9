"""Settings: dataclasses whose defaults are the paper's, filled from a YAML file.

Usage::

    cfg = load_config("asset/yaml/posenet_cocoJ_train_synthetic.yml")
    cfg = load_config()                       # defaults only
    cfg.TRAIN.lr

Section and key names are those of the original release, so its YAML files load unchanged. Keys marked "new" are
additions; their defaults reproduce the published behaviour.
"""

import dataclasses
import difflib
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lib.core.config_limits import JOINT_SET_KEYS, check_range
from lib.joint_set_files import joint_set_setting


def _list(*values):
    return field(default_factory=lambda: list(values))


@dataclass
class DatasetConfig:
    train_list: list[str] = _list("Human36M", "COCO", "MuCo")  # the first one sets mesh model and joint regressor
    test_list: list[str] = _list("PW3D")  # only the first is evaluated
    # human36, coco, smpl, mano, or (new) the path of a joint set file, whose content takes the path's place when the
    # settings are read: see lib/joint_set_files.py
    input_joint_set: str | dict = "coco"  # joints of the 2D input and of PoseNet's output
    target_joint_set: str | dict = "human36"  # joints that are regressed from the predicted mesh
    workers: int = 16  # data loading processes
    use_gt_input: bool = True  # projected ground truth instead of detections or synthesised errors
    human36_protocol: int = 2  # new: 2 trains on S1, 5, 6, 7, 8 and tests on S9, 11; 1 trains on S9 too, tests on S11
    test_split: str = "test"  # new: split that the test sets use, test or validation (PW3D only)
    cache: str = "data/.cache"  # new: folder of parsed annotations (below the data root) and graphs; '' keeps none
    muco_fit_check: str = "published"  # new: published = MuCo's fits compared as released, which masks all of them in
    # Pose2Mesh training; annotated = compared with the annotated joints, as was meant
    derive_noisy: bool = False  # new: pelvis and neck of noisy training input from noisy joints, as in tests, instead
    # of clean ones (COCO joints)
    zero_hands: bool = False  # new: AMASS: hand joints at rest instead of at SMPL+H's left finger angles
    # new: how 2D input is normalised: axis = x and y each by their own spread, as published; common = both by one
    # number, which keeps the pose's proportions. Weights are used with the one that they were trained with
    input_scale: str = "axis"


@dataclass
class ModelConfig:
    name: str = "pose2mesh_net"  # or "posenet"
    input_shape: list[int] = _list(384, 288)  # height and width of the virtual crop, pixels
    normal_loss_weight: float = 0.1
    edge_loss_weight: float = 20.0
    joint_loss_weight: float = 0.001
    part_loss_weight: float = 0.0  # new: of the shape of parts, whatever their position (lib/core/part_loss.py)
    posenet_pretrained: bool = False  # start Pose2Mesh from the PoseNet in posenet_path
    posenet_path: str = "./experiment/posenet_cocoJ_train_human36_coco_muco"  # file, or folder with final/best
    body: str = "auto"  # new: auto = licensed files when present, else the open models; see lib/mesh_model.py
    posenet_width: int = 4096  # new
    posenet_stages: int = 2  # new
    posenet_dropout: float = 0.5  # new
    posenet_mirror: bool = False  # new: outside training, average each lifted pose with that of the mirrored input
    posenet_freeze: bool = False  # new: keep PoseNet fixed (eval mode) while MeshNet trains
    mesh_channels: list[list[int]] = _list()  # new: channels per MeshNet block; empty = the paper's plan
    # new: MeshNet corrects a base, a perceptron from joints to principal components of training meshes; 0 = no base
    base_components: int = 0
    base_width: int = 0  # new: hidden units of that perceptron; 0 = a linear map
    base_stages: int = 1  # new: its residual stages
    graph_levels: int = 0  # new: coarsening levels; 0 = the paper's (9 body, 6 hand)
    laplacian_scaling: str = "legacy"  # new: legacy = L / (2 lmax) - I as released, textbook = 2 L / lmax - I


@dataclass
class TrainConfig:
    print_freq: int = 10
    batch_size: int = 64
    shuffle: bool = True
    begin_epoch: int = 1
    end_epoch: int = 40
    edge_loss_start: int = 15  # the edge loss acts in epochs after this one
    scheduler: str = "step"  # step, plateau (original spelling "platue" works too), cosine (new)
    lr: float = 0.001
    lr_step: list[int] = _list(30)
    lr_factor: float = 0.1
    optimizer: str = "rmsprop"  # rmsprop, adam, adamw (new), sgd
    momentum: float = 0.9  # new: sgd only
    weight_decay: float = 0.0  # new: sgd and adamw
    nesterov: bool = False  # new: sgd only
    precision: str = "float32"  # new: bf16 = networks' forward pass in autocast, losses and weights stay float32
    mesh_part: str = "all"  # new: what learns beside PoseNet: all, or the base alone, to begin with
    init_path: str = ""  # new: checkpoint to start from; tensors of other shapes keep their fresh values
    resume_path: str = ""  # checkpoint (or run folder) that --resume_training continues; empty = newest run
    lift_loss: str = "coordinate"  # new: of PoseNet: mean absolute coordinate difference, or mean joint distance
    edge_loss: str = "absolute"  # new: difference of edge lengths in metres as published, or relative to the true ones
    detail_weight: float = 1.0  # new: how many times vertices of hands, feet and head count in mesh losses
    mask_mesh_losses: bool = False  # new: normal and edge loss skip samples whose fit is rejected (mesh_valid 0)


@dataclass
class AugConfig:
    flip: bool = False
    rotate_factor: float = 0.0  # degrees


@dataclass
class SyntheticConfig:
    """New: the licence-free data set (data/Synthetic): poses, cameras, shapes and 2D errors are drawn."""

    motion: list[str] = _list()  # folders or files of AMASS-format npz that poses are drawn from, beside the prior
    prior_share: float = 1.0  # share of poses drawn from the pose prior when motion is given (else all)
    samples_per_epoch: int = 64000
    test_samples: int = 4000  # at most this many of the held-out poses, evenly spaced
    mirror: bool = True  # mirror half of the poses
    mix_limbs: float = 0.0  # probability that a pose takes its upper body from another pose
    mix_parts: float = 0.0  # the same for each arm, each leg and the head on its own
    pose_noise: float = 0.0  # standard deviation added to joint rotations, radians
    azimuth: float = 180.0  # cameras are drawn in +-azimuth degrees ...
    elevation: float = 20.0  # ... and +-elevation degrees
    roll: float = 0.0
    any_view_share: float = 0.0  # share of samples seen as in photos: elevation uniform in view_elevation, roll normal
    view_elevation: list[float] = _list(-30.0, 60.0)  # degrees, low cameras to overhead
    view_roll: float = 15.0  # standard deviation, degrees
    turned_share: float = 0.1  # share of those samples at any roll: lying, upside down
    distance: list[float] = _list(3.0, 8.0)  # metres, uniform
    beta_std: float = 1.0
    noise: str = "errors"  # errors: the joint set's published error synthesis; jitter: Gaussian, see data/transform.py
    clean_share: float = 0.0  # share of training samples whose input stays free of 2D errors
    jitter_share: float = 0.0  # share of training samples whose input has jitter instead of ``noise``


@dataclass
class TestConfig:
    batch_size: int = 64
    shuffle: bool = False  # accepted for old files; tests always run in order
    weight_path: str = "./experiment/pose2mesh_cocoJ_gt_train_human36_coco"  # file, or folder with final/best
    # 16 pose pictures and meshes (Human36M, FreiHAND every 500th, PW3D every 10th, SURREAL all) to the run's vis/
    vis: bool = False
    smooth: bool = False  # new: PW3D: also evaluate after One-Euro smoothing of each person's joints over time
    save_predictions: bool = False  # new: keep predictions in the run's result/, to evaluate again without a model
    freihand_unit: str = "mm"  # new: FreiHAND: pred.json in mm as released, or m as the official evaluation expects


@dataclass
class Config:
    DATASET: DatasetConfig = field(default_factory=DatasetConfig)
    MODEL: ModelConfig = field(default_factory=ModelConfig)
    TRAIN: TrainConfig = field(default_factory=TrainConfig)
    AUG: AugConfig = field(default_factory=AugConfig)
    SYNTHETIC: SyntheticConfig = field(default_factory=SyntheticConfig)
    TEST: TestConfig = field(default_factory=TestConfig)

    def to_dict(self) -> dict:
        """Nested plain dict, e.g. for a checkpoint or ``yaml.safe_dump``."""
        return dataclasses.asdict(self)


def _nearest(key: str, valid: list[str]) -> str:
    match = difflib.get_close_matches(key, valid, n=1, cutoff=0.5)
    return f"; did you mean {match[0]}?" if match else f"; valid keys: {', '.join(valid)}"


def _checked(name: str, value, kind):
    """``value`` as type ``kind`` or a ValueError that names the key."""
    origin = typing.get_origin(kind)
    if origin is list:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{name}: expected a list, got {value!r}")
        (item_kind,) = typing.get_args(kind)
        return [_checked(f"{name}[{i}]", item, item_kind) for i, item in enumerate(value)]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, str):
        raise ValueError(f"{name}: expected a number, got the text {value!r} (YAML needs a dot: 1.0e-3, not 1e-3)")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{name}: expected {getattr(kind, '__name__', kind)}, got {type(value).__name__} {value!r}")
    return value


def merge(values: dict, source: str = "configuration") -> Config:
    """A Config with defaults replaced by a nested dict.

    Args:
        values: ``{section: {key: value}}``; may be empty.
        source: named in error messages.

    Raises:
        ValueError: unknown section or key (names the nearest valid one), wrong type, value not among the choices.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{source}: expected sections (DATASET, MODEL, ...) at the top level, got {values!r}")
    cfg = Config()
    sections = {f.name: f.type for f in dataclasses.fields(cfg)}
    for section, entries in values.items():
        if section not in sections:
            raise ValueError(f"{source}: {section} not exist in config.py{_nearest(str(section), list(sections))}")
        target = getattr(cfg, section)
        if entries is None:
            continue
        if not isinstance(entries, dict):
            raise ValueError(f"{source}: {section}: expected keys and values, got {entries!r}")
        kinds = typing.get_type_hints(type(target))
        for key, value in entries.items():
            name = f"{section}.{key}"
            if key not in kinds:
                raise ValueError(f"{source}: {name} not exist in config.py{_nearest(str(key), list(kinds))}")
            value = _checked(f"{source}: {name}", value, kinds[key])
            if name in JOINT_SET_KEYS:
                value = joint_set_setting(value, f"{source}: {name}")
            check_range(name, value, source)
            setattr(target, key, value)
    return cfg


def load_config(path: str | Path | None = None, changes: Sequence[str] = ()) -> Config:
    """Read a YAML file over the defaults.

    Args:
        path: YAML file; None gives the defaults, an empty file too.
        changes: ``SECTION.key=value`` texts that replace entries of the file, values in YAML
            (``TRAIN.lr=0.01``, ``DATASET.train_list=[Human36M, COCO]``).

    Raises:
        FileNotFoundError: no such file.
        ValueError: not YAML, unknown key, wrong type (see ``merge``).
    """
    values, source = {}, "configuration"
    if path is not None:
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"config file {path} not found; the shipped ones are in asset/yaml/")
        values, source = _parse_yaml(path.read_text(encoding="utf-8"), str(path)) or {}, str(path)
    merge(values, source)  # errors of the file are the file's
    for change in changes:
        name, separator, text = change.partition("=")
        section, _, key = name.strip().partition(".")
        if not separator or not key:
            raise ValueError(f"--set {change}: expected SECTION.key=value, for example TRAIN.lr=0.01")
        changed = {section: {key: _parse_yaml(text, f"--set {change}")}}
        merge(changed, f"--set {change}")
        values = {**values, section: {**(values.get(section) or {}), **changed[section]}}
    return merge(values, source)


def _parse_yaml(text: str, source: str):
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{source} is not valid YAML: {error}") from error
