"""The one table of data sets: config name, which is the class's name too -> module, imported when first asked for."""

import importlib

DATASETS = {
    "Synthetic": "data.Synthetic.dataset",
    "Human36M": "data.Human36M.dataset",
    "MuCo": "data.MuCo.dataset",
    "COCO": "data.COCO.dataset",
    "PW3D": "data.PW3D.dataset",
    "AMASS": "data.AMASS.dataset",
    "SURREAL": "data.SURREAL.dataset",
    "FreiHAND": "data.FreiHAND.dataset",
}

SEQUENCES = {  # those that have sequences: class <name>Sequences
    "Synthetic": "data.Synthetic.sequences",
    "Human36M": "data.Human36M.sequences",
    "PW3D": "data.PW3D.sequences",
    "AMASS": "data.AMASS.sequences",
}


def dataset_class(name: str):
    """The class behind a name in ``DATASET.train_list`` / ``test_list``.

    Raises:
        ValueError: unknown name; lists the known ones.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(sorted(DATASETS))} (see data/README.md)")
    return getattr(importlib.import_module(DATASETS[name]), name)


def sequence_class(name: str):
    """The class of a data set whose samples are sequences (DATASET.window).

    Raises:
        ValueError: unknown name, or a data set without sequences; lists those that have some.
    """
    dataset_class(name)
    if name not in SEQUENCES:
        raise ValueError(f"DATASET.window: {name} has no sequences here, only {', '.join(SEQUENCES)}")
    return getattr(importlib.import_module(SEQUENCES[name]), f"{name}Sequences")
