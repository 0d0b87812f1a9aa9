"""GPU numbers of a command line."""


def parse_gpus(text: str) -> list[int]:
    """GPU numbers of ``--gpu``: ``"0,1"``, ``"0,"``; empty text, ``cpu`` and ``-1`` mean none.

    Raises:
        ValueError: not a comma-separated list of different non-negative integers.
    """
    text = text.strip()
    if text in ("", "cpu", "-1"):
        return []
    parts = [part.strip() for part in text.rstrip(",").split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"--gpu {text!r}: expected GPU numbers such as 0 or 0,1,2,3, or an empty text for the CPU")
    numbers = [int(part) for part in parts]
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"--gpu {text!r} names a GPU twice")
    return numbers
