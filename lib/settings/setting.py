"""What a setting is beyond its type and default: limits, and where it must agree between runs or weights."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

POSENET, POSE2MESH = "posenet", "pose2mesh_net"
BOTH = (POSENET, POSE2MESH)
# whether a stage makes meshes: all that others than lib/core/stages.py know of what its name means
WITH_MESH = {POSENET: False, POSE2MESH: True}
# the lifter that takes sequences, see lib/models/temporal.py
TEMPORAL = "temporal"
# which mesh comes out: the network's vertices, the body model's surface fitted to them, that refined to the 2D joints
NETWORK, FITTED, REFINED = SURFACES = ("network", "fitted", "refined")
# what products round their factors to in predictions, see lib/models/precision.py
FLOAT32, BF16, HALF = PRECISIONS = ("float32", "bf16", "half")


@dataclass(frozen=True)
class Rules:
    """Rules of one setting.

    Attributes:
        least, most: smallest and largest sensible value, of the numbers in a list too.
        form: ``share``: from 0 to 1; ``pair``: two positive numbers; ``elevations``: the least and the largest angle
            to the horizon, degrees; ``joint set``: name, file or content of a joint set.
        resume: a run is only resumed with the same value. Everything else may be edited between stopping and resuming.
        fits: stages (``MODEL.name``) whose weights are of use only where the value is the same. None: not said, which
            settings of the section MODEL have to.
        follow: it decides what the numbers of weights mean, not their shapes: whoever uses weights takes it from them.
        tested: what of a test it decides, for comparisons of figures. ``samples``: which samples these are and what is
            true of them; ``input``: the 2D poses; ``method``: what is made of them.
    """

    least: float | None = None
    most: float = 1e9
    form: Literal["", "share", "pair", "elevations", "joint set"] = ""
    resume: bool = False
    fits: tuple[str, ...] | None = None
    follow: bool = False
    tested: Literal["", "samples", "input", "method"] = ""

    def check(self, name: str, value, source: str) -> None:
        """Raises ValueError when the setting ``name`` cannot have this value."""
        if self.least is not None and not value >= self.least:
            raise ValueError(f"{source}: {name}: {value} is too small, the least is {self.least}")
        if self.form == "share" and not 0 <= value <= 1:
            raise ValueError(f"{source}: {name}: {value} is not a share from 0 to 1")
        if self.form == "pair" and (len(value) != 2 or not min(value) > 0):
            raise ValueError(f"{source}: {name}: expected two positive numbers, got {value}")
        # cameras straight above have no upright
        if self.form == "elevations" and not (len(value) == 2 and -90 < value[0] <= value[1] < 90):
            raise ValueError(
                f"{source}: {name}: expected two angles between -90 and 90, the lower one first, got {value}"
            )
        largest = max(_sizes(value), default=0.0)
        if not largest <= self.most:
            raise ValueError(f"{source}: {name}: {largest:g} is too large, the most is {self.most:g}")


def _sizes(value) -> Iterator[float]:
    """Size of each number of a setting's value, and the length of its lists."""
    if isinstance(value, list):
        yield len(value)
    for part in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        yield from _sizes(part)
    if isinstance(value, (int, float)):
        yield abs(value) if value == value else math.inf


def setting(default, **rules):
    """A dataclass field with `Rules`; a list or dict is copied for each instance."""
    metadata = {"rules": Rules(**rules)}
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
