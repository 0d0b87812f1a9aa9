"""Fixtures shared by the tests: small models, small settings."""

import pytest
import torch

from lib.core.config import merge


@pytest.fixture(autouse=True)
def _same_random_numbers_every_time():
    torch.manual_seed(0)


BODY_PLAN = [[5, 8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 3]]
HAND_PLAN = [[5, 8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 8], [8, 3]]


@pytest.fixture
def small_config():
    """``small_config(name, joint_set, **sections)``: settings of a tiny network on the open models."""

    def make(name: str = "posenet", joint_set: str = "coco", target: str = "", **sections):
        hand = joint_set == "mano"
        values = {
            "DATASET": {
                "train_list": ["Synthetic"],
                "test_list": ["Synthetic"],
                "input_joint_set": joint_set,
                "target_joint_set": target or ("human36" if joint_set == "coco" else joint_set),
                "workers": 0,
            },
            "MODEL": {
                "name": name,
                "body": "open_hand" if hand else "open_1723",
                "posenet_width": 32,
                "graph_levels": 6 if hand else 8,
                "mesh_channels": HAND_PLAN if hand else BODY_PLAN,
            },
            "TRAIN": {"batch_size": 16, "end_epoch": 2, "optimizer": "adam"},
            "SYNTHETIC": {"samples_per_epoch": 64, "test_samples": 32},
            "TEST": {"batch_size": 16},
        }
        for section, entries in sections.items():
            values.setdefault(section, {}).update(entries)
        return merge(values)

    return make
