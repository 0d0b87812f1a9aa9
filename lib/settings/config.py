"""The settings and what they mean. Defaults are the paper's.

Section and key names are those of the original release, so its YAML files load unchanged. Keys marked "new" are
additions; their defaults reproduce the published behaviour. ``lib.settings.reading`` fills them from files.

A setting states its own rules (`lib.settings.setting.Rules`): choices are its type, the rest is metadata.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from lib.settings.setting import BOTH, POSE2MESH, WITH_MESH, setting


@dataclass(frozen=True)
class DatasetConfig:
    # the first one sets mesh model and joint regressor
    train_list: list[str] = setting(["Human36M", "COCO", "MuCo"], resume=True, fits=BOTH)
    test_list: list[str] = setting(["PW3D"], tested="samples")  # only the first is evaluated
    # human36, coco, smpl, mano, or (new) the path of a joint set file, whose content takes the path's place when the
    # settings are read: see lib/joints/files.py. Joints of the 2D input and of PoseNet's output
    input_joint_set: str | dict = setting("coco", form="joint set", resume=True, fits=BOTH, tested="method")
    # joints that are regressed from the predicted mesh
    target_joint_set: str | dict = setting(
        "human36", form="joint set", resume=True, fits=(POSE2MESH,), tested="samples"
    )
    workers: int = setting(16, least=0, most=1024)  # data loading processes
    # projected ground truth instead of detections or synthesised errors
    use_gt_input: bool = setting(True, resume=True, tested="input")
    # new: 2 trains on S1, 5, 6, 7, 8 and tests on S9, 11; 1 trains on S9 too, tests on S11
    human36_protocol: Literal[1, 2] = setting(2, resume=True, fits=BOTH, tested="samples")
    test_split: Literal["test", "validation"] = setting("test", tested="samples")  # new: of the test sets (PW3D only)
    cache: str = setting("data/.cache")  # new: of parsed annotations (below the data root) and graphs; '' keeps none
    # new: published = MuCo's fits compared as released, which masks all of them in Pose2Mesh training; annotated =
    # compared with the annotated joints, as was meant
    muco_fit_check: Literal["published", "annotated"] = setting("published", resume=True)
    # new: pelvis and neck of noisy training input from noisy joints, as in tests, instead of clean ones (COCO joints)
    derive_noisy: bool = setting(False, resume=True)
    zero_hands: bool = setting(False, resume=True)  # new: AMASS: hand joints at rest, not at SMPL+H's finger angles
    # new: frames, at 30 per second, of the windows that training samples are; tests take whole clips. 0, as published:
    # samples are single frames
    window: int = setting(0, least=0, most=4096, resume=True, tested="samples")
    # new: how 2D input is normalised: axis = x and y each by their own spread, as published; common = both by one
    # number, which keeps the pose's proportions
    input_scale: Literal["axis", "common"] = setting("axis", resume=True, fits=BOTH, follow=True)


@dataclass(frozen=True)
class ModelConfig:
    name: Literal["pose2mesh_net", "posenet"] = setting("pose2mesh_net", resume=True, fits=BOTH)
    input_shape: list[int] = setting([384, 288], form="pair", fits=())  # height and width of the virtual crop, pixels
    normal_loss_weight: float = setting(0.1, fits=())
    edge_loss_weight: float = setting(20.0, fits=())
    joint_loss_weight: float = setting(0.001, fits=())
    part_loss_weight: float = setting(0.0, least=0.0, fits=())  # new: shape of parts (lib/core/part_loss.py)
    loss_terms: dict[str, float] = setting({}, fits=())  # new: weights of further terms (lib/core/loss_terms.py)
    posenet_pretrained: bool = setting(False, fits=())  # start Pose2Mesh from the PoseNet in posenet_path
    # file, or folder with final/best
    posenet_path: str = setting("./experiment/posenet_cocoJ_train_human36_coco_muco", fits=())
    # new: auto = licensed files when present, else the open models; see lib/mesh/mesh_model.py
    body: str = setting("auto", resume=True, fits=BOTH, tested="samples")
    lifter: str = setting("mlp", resume=True, fits=BOTH)  # new: network that lifts joints, see lib/models/lifters.py
    # new: of the temporal lifter: features, blocks, heads of the attention, and the most frames of one call
    temporal_width: int = setting(256, least=8, most=4096, resume=True, fits=BOTH)
    temporal_blocks: int = setting(5, least=1, most=64, resume=True, fits=BOTH)
    temporal_heads: int = setting(4, least=1, most=64, resume=True, fits=BOTH)
    temporal_frames: int = setting(81, least=2, most=4096, resume=True, fits=BOTH)
    posenet_width: int = setting(4096, least=1, most=16384, resume=True, fits=BOTH)  # new
    posenet_stages: int = setting(2, least=1, most=64, resume=True, fits=BOTH)  # new
    posenet_dropout: float = setting(0.5, form="share", fits=())  # new
    # new: outside training, average each lifted pose with that of the mirrored input
    posenet_mirror: bool = setting(False, resume=True, fits=(), follow=True)
    # new: keep PoseNet fixed (eval mode) while MeshNet trains
    posenet_freeze: bool = setting(False, resume=True, fits=())
    # new: channels per MeshNet block; empty = the paper's plan
    mesh_channels: list[list[int]] = setting([], most=16384, resume=True, fits=(POSE2MESH,))
    # new: MeshNet corrects a base, a perceptron from joints to principal components of training meshes; 0 = no base
    base_components: int = setting(0, least=0, most=16384, resume=True, fits=(POSE2MESH,))
    # new: hidden units of that perceptron; 0 = a linear map
    base_width: int = setting(0, least=0, most=16384, resume=True, fits=(POSE2MESH,))
    base_stages: int = setting(1, least=0, most=64, resume=True, fits=(POSE2MESH,))  # new: its residual stages
    # new: coarsening levels; 0 = the paper's (9 body, 6 hand)
    graph_levels: int = setting(0, least=0, most=32, resume=True, fits=(POSE2MESH,))
    # new: legacy = L / (2 lmax) - I as released, textbook = 2 L / lmax - I
    laplacian_scaling: Literal["legacy", "textbook"] = setting("legacy", resume=True, fits=(POSE2MESH,))

    @property
    def with_mesh(self) -> bool:
        """Whether the stage makes meshes, so that its batches have them."""
        return WITH_MESH[self.name]


@dataclass(frozen=True)
class TrainConfig:
    print_freq: int = setting(10, least=1)
    batch_size: int = setting(64, least=2, most=1_000_000, resume=True)  # batch normalisation needs two samples
    shuffle: bool = True
    begin_epoch: int = setting(1, least=1, most=1_000_000)
    end_epoch: int = setting(40, least=1, most=1_000_000)
    edge_loss_start: int = 15  # the edge loss acts in epochs after this one
    # plateau has the original's spelling too; cosine is new
    scheduler: Literal["step", "plateau", "platue", "cosine"] = setting("step", resume=True)
    lr: float = setting(0.001, least=0.0, most=1000.0)
    lr_step: list[int] = setting([30])
    lr_factor: float = 0.1
    optimizer: Literal["rmsprop", "adam", "adamw", "sgd"] = setting("rmsprop", resume=True)  # adamw is new
    momentum: float = 0.9  # new: sgd only
    weight_decay: float = 0.0  # new: sgd and adamw
    nesterov: bool = False  # new: sgd only
    clip_norm: float = setting(0.0, least=0.0)  # new: longest gradient of a step, longer ones are shortened; 0 = any
    # new: bf16 = networks' forward pass in autocast, losses and weights stay float32
    precision: Literal["float32", "bf16"] = setting("float32", resume=True)
    # new: what learns beside PoseNet: all, or the base alone, to begin with
    mesh_part: Literal["all", "base"] = setting("all", resume=True)
    init_path: str = ""  # new: checkpoint to start from; tensors of other shapes keep their fresh values
    resume_path: str = ""  # checkpoint (or run folder) that --resume_training continues; empty = newest run
    # new: of PoseNet: mean absolute coordinate difference, or mean joint distance
    lift_loss: Literal["coordinate", "distance"] = setting("coordinate", resume=True)
    # new: difference of edge lengths in metres as published, or relative to the true ones
    edge_loss: Literal["absolute", "relative"] = setting("absolute", resume=True)
    # new: how many times vertices of hands, feet and head count in mesh losses
    detail_weight: float = setting(1.0, least=0.0, resume=True)
    # new: normal and edge loss skip samples whose fit is rejected (mesh_valid 0)
    mask_mesh_losses: bool = setting(False, resume=True)
    tensorboard: bool = False  # new: the numbers of log.csv for TensorBoard too (sh requirements.sh --with-tensorboard)


@dataclass(frozen=True)
class AugConfig:
    flip: bool = False
    rotate_factor: float = setting(0.0, least=0.0)  # degrees


@dataclass(frozen=True)
class SyntheticConfig:
    """New: the licence-free data set (data/Synthetic): poses, cameras, shapes and 2D errors are drawn."""

    # folders or files of AMASS-format npz that poses are drawn from, beside the prior
    motion: list[str] = setting([], resume=True)
    # share of poses drawn from the pose prior when motion is given (else all)
    prior_share: float = setting(1.0, form="share", resume=True)
    samples_per_epoch: int = setting(64000, least=2, most=100_000_000, resume=True)
    test_samples: int = setting(
        4000, least=1, most=10_000_000, resume=True, tested="samples"
    )  # at most this many of the held-out poses, evenly spaced; of sequences, of the held-out clips
    mirror: bool = setting(True, resume=True)  # mirror half of the poses
    # probability that a pose takes its upper body from another pose
    mix_limbs: float = setting(0.0, form="share", resume=True)
    mix_parts: float = setting(0.0, form="share", resume=True)  # the same for each arm, leg and the head on its own
    pose_noise: float = setting(0.0, least=0.0, resume=True)  # standard deviation added to joint rotations, radians
    azimuth: float = setting(180.0, resume=True, tested="samples")  # cameras are drawn in +-azimuth degrees ...
    elevation: float = setting(20.0, resume=True, tested="samples")  # ... and +-elevation degrees
    roll: float = setting(0.0, resume=True, tested="samples")
    # share of samples seen as in photos: elevation uniform in view_elevation, roll normal
    any_view_share: float = setting(0.0, form="share", resume=True, tested="samples")
    # low cameras to overhead
    view_elevation: list[float] = setting([-30.0, 60.0], form="elevations", resume=True, tested="samples")
    view_roll: float = setting(15.0, least=0.0, resume=True, tested="samples")  # standard deviation, degrees
    # of those samples at any roll: lying, upside down
    turned_share: float = setting(0.1, form="share", resume=True, tested="samples")
    distance: list[float] = setting([3.0, 8.0], form="pair", resume=True, tested="samples")  # metres, uniform
    beta_std: float = setting(1.0, least=0.0, resume=True, tested="samples")
    # windows (DATASET.window): slowest and fastest speed of a clip, times its own, and the share of moving cameras
    speeds: list[float] = setting([0.5, 1.8], form="pair", resume=True)
    moving_share: float = setting(0.3, form="share", resume=True, tested="samples")
    # errors: the joint set's published synthesis; jitter: Gaussian, see lib/datasets/input2d.py
    noise: Literal["errors", "jitter"] = setting("errors", resume=True, tested="input")
    clean_share: float = setting(0.0, form="share", resume=True)  # share of training samples free of 2D errors
    jitter_share: float = setting(0.0, form="share", resume=True)  # ... and of those with jitter instead of ``noise``


@dataclass(frozen=True)
class TestConfig:
    batch_size: int = setting(64, least=1, most=1_000_000)
    shuffle: bool = False  # accepted for old files; tests always run in order
    weight_path: str = "./experiment/pose2mesh_cocoJ_gt_train_human36_coco"  # file, or folder with final/best
    # new: of sequences: Pose2Mesh whose MeshNet makes meshes of the lifted joints; empty makes none
    mesh_path: str = setting("", tested="method")
    # new: of single frames in sequences: none; one_euro = as the demo's --smooth; mean = over nine frames
    filter: Literal["none", "one_euro", "mean"] = setting("none", tested="method")
    # 16 pose pictures and meshes (Human36M, FreiHAND every 500th, PW3D every 10th, SURREAL all) to the run's vis/
    vis: bool = False
    smooth: bool = False  # new: PW3D: also evaluate after One-Euro smoothing of each person's joints over time
    save_predictions: bool = False  # new: keep predictions in the run's result/, to evaluate again without a model
    # new: which mesh is evaluated, see docs/surfaces.md
    mesh: Literal["network", "fitted", "refined"] = setting("network", tested="method")
    # new: of products in the test: bf16 and half round factors, see docs/speed.md
    precision: Literal["float32", "bf16", "half"] = setting("float32", tested="method")
    freihand_unit: Literal["mm", "m"] = "mm"  # new: of FreiHAND's pred.json: mm as released, m as officially expected


@dataclass(frozen=True)
class Config:
    DATASET: DatasetConfig = field(default_factory=DatasetConfig)
    MODEL: ModelConfig = field(default_factory=ModelConfig)
    TRAIN: TrainConfig = field(default_factory=TrainConfig)
    AUG: AugConfig = field(default_factory=AugConfig)
    SYNTHETIC: SyntheticConfig = field(default_factory=SyntheticConfig)
    TEST: TestConfig = field(default_factory=TestConfig)

    @property
    def tests_meshes(self) -> bool:
        """Whether tests evaluate meshes."""
        return self.MODEL.with_mesh or bool(self.DATASET.window and self.TEST.mesh_path)

    def changed(self, **sections: dict) -> "Config":
        """A copy with other values: ``cfg.changed(TRAIN={"lr": 0.01})``. They are not checked; files' values are."""
        return dataclasses.replace(
            self, **{name: dataclasses.replace(getattr(self, name), **values) for name, values in sections.items()}
        )

    def to_dict(self) -> dict:
        """Nested plain dict, e.g. for a checkpoint or ``yaml.safe_dump``."""
        return dataclasses.asdict(self)
