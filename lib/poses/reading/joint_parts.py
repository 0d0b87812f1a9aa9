"""Which joints a pose has, by their number or their names, and where bodies and hands are among them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.poses.reading.joint_names import named_joints, named_source
from lib.poses.reading.request import Request
from lib.poses.sources import SOURCES, Source, get_source, sources_of, sources_with

HAND = "mano21"  # source of all hands
Places = tuple[int, ...]


@dataclass(frozen=True)
class JointParts:
    """What the joints of a pose are.

    Attributes:
        source: of the body's joints, or of a hand that is all there is; None without.
        body: places of the source's joints; None: all.
        hands: places of the left and the right hand's joints, in MANO's order; empty for none.
    """

    source: str | JointSet | Source | None
    body: Places | None = None
    hands: tuple[Places, Places] = ((), ())


def _span(first: int, count: int) -> Places:
    return tuple(range(first, first + count))


def _tips_first(wrist: int, first: int) -> Places:
    """A hand whose fingers are listed from tip to palm."""
    return (wrist, *(first + 4 * finger + joint for finger in range(5) for joint in (3, 2, 1, 0)))


# lists that hold a body and hands, by their number of joints
_SAM_HANDS = (_tips_first(62, 42), _tips_first(41, 21))
WHOLE_BODIES: dict[int, JointParts] = {
    68: JointParts("halpe26", _span(0, 26), (_span(26, 21), _span(47, 21))),
    70: JointParts("sam3d70", None, _SAM_HANDS),
    133: JointParts("wholebody23", _span(0, 23), (_span(91, 21), _span(112, 21))),
    135: JointParts("openpose_body25b", _span(0, 25), ((9, *_span(25, 20)), (10, *_span(45, 20)))),
    136: JointParts("halpe26", _span(0, 26), (_span(94, 21), _span(115, 21))),
    308: JointParts("sam3d70", _span(0, 70), _SAM_HANDS),
}
JOINT_NUMBERS = frozenset({*WHOLE_BODIES, *(source.joint_num for source in SOURCES.values())})


def joint_parts(
    joint_num: int, names: Sequence[str] | None, request: Request, where: str, detector: bool = True
) -> JointParts:
    """What the joints of a pose are.

    Args:
        joint_num: joints in the file.
        names: of the joints, where the file has them.
        request: what the user said; a source that he named goes before names.
        where: file or record, for messages.
        detector: the file format is one of detectors, so 17 joints are COCO's unless the user names another source;
            otherwise the joint set decides between sources of as many joints.

    Raises:
        ValueError: no source has so many joints, or several have; names of no person.
    """
    if names is not None and request.source is None:
        named = named_joints(names, where, request.body)
        places = tuple(place for place, role in enumerate(named.body) if role)
        if not places:
            return JointParts(None, (), named.hands)
        source = named_source(names, named.body)
        whole = WHOLE_BODIES.get(joint_num)
        hands = named.hands if any(named.hands) or whole is None else whole.hands
        return JointParts(source.name if source.name in SOURCES else source, None, hands)
    whole = WHOLE_BODIES.get(joint_num)
    if whole is not None and (request.source in (None, whole.source, HAND)):
        return whole
    bodies = sources_with(joint_num) if request.source in (None, HAND) and request.body == "hand" else ()
    if bodies and not any(SOURCES[name].body == "hand" for name in bodies):
        return JointParts(bodies[0])  # whose hands may stand beside
    return JointParts(_source_of(joint_num, request, where, detector))


def _source_of(joint_num: int, request: Request, where: str, detector: bool) -> str | JointSet:
    if request.source is not None:
        source = get_source(request.source)
        if source.joint_num != joint_num:
            raise ValueError(
                f"{where} has {joint_num} joints; {source.name} has {source.joint_num}: {source.describe()}"
            )
        return source.name
    names = sources_with(joint_num, request.joint_set)
    own = request.own_joint_set
    if own is not None and joint_num in (own.joint_num, own.keypoint_num) and not (detector and names):
        return own if isinstance(request.joint_set, JointSet) else str(request.joint_set)
    if not names:
        raise ValueError(_unknown(joint_num, request, where))
    if detector and "coco17" in names:
        return "coco17"
    if len(names) == 1 or names[0] in sources_of(request.joint_set):
        return names[0]
    if SOURCES[names[0]].joints == SOURCES[names[1]].joints:
        return names[0]
    own_order = "" if own is None else f" ({own.keypoint_num} in {request.joint_set})"
    raise ValueError(
        f"{where} has {joint_num} joints{own_order}, which may be {' or '.join(names)}; name the joints with --format "
        f"{names[0]}, or with --joint_set"
    )


def _unknown(joint_num: int, request: Request, where: str) -> str:
    """Message for a number of joints that nothing of the wanted kind has."""
    other = [source.name for source in SOURCES.values() if source.joint_num == joint_num]
    if other and request.joint_set is not None:
        kind = get_source(other[0]).body
        way = "add --joint_set mano" if kind == "hand" else "leave --joint_set mano out"
        return f"{where} has {joint_num} joints, those of a {kind} ({other[0]}); a {request.body} is wanted: {way}"
    known = {s.joint_num for s in SOURCES.values() if s.body == request.body} | set(WHOLE_BODIES)
    return (
        f"{where} has {joint_num} joints, which no known source of a {request.body} has; known: "
        f"{', '.join(map(str, sorted(known)))}, and joints that the file names{_order(request)}"
    )


def _order(request: Request) -> str:
    """The joints of the joint set that is wanted, for messages."""
    if request.joint_set is None:
        return ""
    joint_set = get_joint_set(request.joint_set)
    return f"; {joint_set.name} has {joint_set.joint_num} in this order: {joint_set.describe()}"
