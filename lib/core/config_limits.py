"""Which values the settings may have, beyond their types."""

CHOICES = {
    "MODEL.name": ("pose2mesh_net", "posenet"),
    "MODEL.laplacian_scaling": ("legacy", "textbook"),
    "TRAIN.scheduler": ("step", "plateau", "platue", "cosine"),
    "DATASET.input_scale": ("axis", "common"),
    "TRAIN.mesh_part": ("all", "base"),
    "TRAIN.edge_loss": ("absolute", "relative"),
    "TRAIN.lift_loss": ("coordinate", "distance"),
    "TRAIN.precision": ("float32", "bf16"),
    "TRAIN.optimizer": ("rmsprop", "adam", "adamw", "sgd"),
    "SYNTHETIC.noise": ("errors", "jitter"),
    "DATASET.human36_protocol": (1, 2),
    "DATASET.test_split": ("test", "validation"),
    "DATASET.muco_fit_check": ("published", "annotated"),
    "TEST.freihand_unit": ("mm", "m"),
}

# smallest sensible values; a missing entry means any
LIMITS = {
    "DATASET.workers": 0,
    "MODEL.part_loss_weight": 0.0,
    "MODEL.posenet_width": 1,
    "MODEL.posenet_stages": 1,
    "MODEL.posenet_dropout": 0.0,
    "MODEL.base_components": 0,
    "MODEL.base_width": 0,
    "MODEL.base_stages": 0,
    "MODEL.graph_levels": 0,
    "TRAIN.print_freq": 1,
    "TRAIN.batch_size": 2,  # batch normalisation needs two samples
    "TRAIN.begin_epoch": 1,
    "TRAIN.end_epoch": 1,
    "TRAIN.lr": 0.0,
    "TRAIN.detail_weight": 0.0,
    "AUG.rotate_factor": 0.0,
    "SYNTHETIC.samples_per_epoch": 2,
    "SYNTHETIC.test_samples": 1,
    "SYNTHETIC.view_roll": 0.0,
    "SYNTHETIC.pose_noise": 0.0,
    "SYNTHETIC.beta_std": 0.0,
    "TEST.batch_size": 1,
}
# keys that hold a number from 0 to 1
SHARES = (
    "SYNTHETIC.prior_share", "SYNTHETIC.mix_limbs", "SYNTHETIC.mix_parts", "SYNTHETIC.any_view_share",
    "SYNTHETIC.turned_share", "SYNTHETIC.clean_share", "SYNTHETIC.jitter_share",
)  # fmt: skip
# keys that hold a joint set
JOINT_SET_KEYS = ("DATASET.input_joint_set", "DATASET.target_joint_set")
# keys that hold two positive numbers
PAIRS = ("MODEL.input_shape", "SYNTHETIC.distance")
# keys that hold the least and the largest angle to the horizon, degrees; cameras straight above have no upright
ELEVATIONS = ("SYNTHETIC.view_elevation",)


def check_range(name: str, value, source: str) -> None:
    """Raises ValueError when a key (``SECTION.key``) cannot have this value."""
    if name in CHOICES and value not in CHOICES[name]:
        raise ValueError(f"{source}: {name}: {value!r} is not one of {', '.join(map(str, CHOICES[name]))}")
    if name in LIMITS and not value >= LIMITS[name]:
        raise ValueError(f"{source}: {name}: {value} is too small, the least is {LIMITS[name]}")
    if name in SHARES and not 0 <= value <= 1:
        raise ValueError(f"{source}: {name}: {value} is not a share from 0 to 1")
    if name in PAIRS and (len(value) != 2 or not min(value) > 0):
        raise ValueError(f"{source}: {name}: expected two positive numbers, got {value}")
    if name in ELEVATIONS and not (len(value) == 2 and -90 < value[0] <= value[1] < 90):
        raise ValueError(f"{source}: {name}: expected two angles between -90 and 90, the lower one first, got {value}")
