"""Which motion capture subjects are held out of training (the reasons are in asset/open_benchmark/README.md)."""

# Clips whose subject the source does not give. Some repeat clips of subjects 11 and 14, so it is a training subject,
# and subjects that it may hold (06, 10, 11, 14, 16, 29: the same activities) must not be held out.
UNKNOWN_SUBJECT = "unknown"

HELDOUT_SUBJECTS = frozenset({"02", "05", "08", "55", "127", "131"})


def in_split(subject: str, split: str) -> bool:
    """Whether a subject belongs to a split: ``all``, ``train`` or ``heldout``.

    Raises:
        ValueError: unknown split.
    """
    if split not in ("all", "train", "heldout"):
        raise ValueError(f"unknown split {split!r}; choose all, train or heldout")
    return split == "all" or (subject in HELDOUT_SUBJECTS) == (split == "heldout")
