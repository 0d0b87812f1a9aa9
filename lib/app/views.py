"""What the page shows of a job, in HTML. Whatever comes from files is escaped here."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import PurePosixPath
from urllib.parse import quote

from lib.app.jobs import WAITING
from lib.app.work import ALL, Done, Picture, Progress
from lib.render.shading import person_colour

RESULTS = "/results"
SAMPLE = "/sample.jpg"
_UNITS = ("B", "kB", "MB", "GB")
_LISTED = 60  # files, the others are in the archive
_NAMED_PEOPLE = 40
_KINDS = {
    "_views.png": "picture, joints, mesh and side view beside each other",
    "_params.npz": "body parameters (pose, shape, translation)",
    "_poses.npz": "motion for AMASS tools",
    "_rigged.glb": "meshes on skeletons that move them",
    "_turntable.mp4": "film from all round",
    "_turntable.gif": "film from all round",
    "_pose2d.png": "2D joints",
    "_mesh.png": "meshes over the picture",
    ".obj": "mesh",
    ".glb": "meshes, coloured, in one scene",
    ".ply": "meshes",
    ".bvh": "skeleton in motion",
    ".npz": "all numbers: vertices, joints, cameras",
    ".html": "page to turn the meshes in, works without network",
    ".mp4": "film",
    ".gif": "film",
    ".png": "picture",
    ".zip": "everything below",
}
_WORDS = {
    WAITING: "Waiting",
    "lifting": "Lifting",
    "detecting": "Looking for people",
    "body shapes": "Body shapes",
    "turntable": "Turntable",
}


def url(key: str, name: str) -> str:
    """Where a file of results is."""
    return f"{RESULTS}/{key}/{quote(name)}"


def welcome(detector: bool) -> str:
    """What there is before the first result.

    Args:
        detector: poses can be found in photos.
    """
    what = "a photo, a video or a file of 2D poses" if detector else "a file of 2D poses"
    lacking = "" if detector else "<p>Photos and videos alone need a detector, which is not installed here.</p>"
    return (
        f'<div class="p2m-welcome"><ol><li>Drop {what}</li><li>Press <b>Lift to 3D</b></li>'
        f"<li>Turn the meshes and download them</li></ol>{lacking}"
        """<button type="button" onclick="document.getElementById('p2m-scene').click()">"""
        f'<img src="{SAMPLE}" alt="2D joints, meshes over the photo, and the meshes from the side">'
        "<span>Try the sample scene</span></button></div>"
    )


def status(progress: Progress | None, seconds: float, doing: str = "Reading") -> str:
    """How far a job is; ``doing`` something where it does not say what."""
    share, text = None, doing
    if progress is not None and progress.what == WAITING:
        text = f"Waiting, {progress.done} {'job' if progress.done == 1 else 'jobs'} before this one"
    elif progress is not None:
        text = f"{_WORDS.get(progress.what, progress.what)}, {progress.done}"
        if progress.total:
            share = progress.done / progress.total
            text += f" of {progress.total}"
    width = "" if share is None else f' style="width:{100 * share:.0f}%"'
    kind = " unknown" if share is None else ""
    return (
        f'<div class="p2m-status" role="status"><div class="p2m-bar{kind}"><i{width}></i></div>'
        f"{escape(text)} · {seconds:.0f} s</div>"
    )


def finished(seconds: float, warnings: int) -> str:
    """That a job is done."""
    noted = {0: "", 1: ", one warning: see Messages"}.get(warnings, f", {warnings} warnings: see Messages")
    return f'<div class="p2m-status done" role="status">Done in {seconds:.1f} s{noted}</div>'


def refusal(reason: str) -> str:
    """Why there is no result."""
    return f'<div class="p2m-status refused" role="alert">{escape(reason)}</div>'


def hint(text: str) -> str:
    """In place of a result."""
    return f'<div class="p2m-hint">{escape(text)}</div>'


def image(key: str, name: str | None, what: str, elsewhere: str) -> str:
    """A picture that opens alone when it is clicked; of a film where to look."""
    if name is None:
        return hint(f"{what} {elsewhere}")
    place = url(key, name)
    shown = f'<img class="p2m-shown" src="{place}" alt="{escape(what)}">'
    return f'<a href="{place}" target="_blank" rel="noopener">{shown}</a>'


def overlay(key: str, picture: Picture) -> str:
    """Meshes over the picture, or over the film."""
    if picture.film is None:
        return image(key, picture.overlay, "Meshes over the picture", "")
    place = url(key, picture.film)
    return f'<video class="p2m-shown" src="{place}" controls autoplay loop muted playsinline></video>'


def scene(key: str, name: str | None) -> str:
    """The page to turn meshes in; sandboxed, though it is our own."""
    if name is None:
        return hint("Too many meshes to turn; the files have them all")
    return f'<iframe class="p2m-scene" sandbox="allow-scripts" title="3D view" src="{url(key, name)}#spin"></iframe>'


def people(picture: Picture) -> str:
    """The people's numbers in their colours."""
    shown = picture.people[:_NAMED_PEOPLE]
    chips = "".join(f'<span><i style="background:{_css(number)}"></i>{number}</span>' for number in shown)
    more = f"<span>and {len(picture.people) - len(shown)} more</span>" if len(picture.people) > len(shown) else ""
    return f'<div class="p2m-people">People {chips}{more}</div>' if chips else ""


def messages(lines: Iterable[str]) -> str:
    """What the demo said, warnings standing out."""
    rows = []
    for line in lines:
        kind = next((kind for kind in ("Warning", "Note") if line.startswith(kind) or f": {kind}:" in line), "")
        rows.append(f'<li class="{kind.lower()}">{escape(line)}</li>')
    return f'<ul class="p2m-messages">{"".join(rows)}</ul>' if rows else hint("Nothing yet")


def files(key: str, done: Done) -> str:
    """Files to download."""
    rows = [_row(key, name, size) for name, size in done.files[: _LISTED + 1]]
    more = len(done.files) - len(rows)
    rows += [f"<tr><td colspan=3>and {more} more, all in {ALL}</td></tr>"] if more else []
    return f'<table class="p2m-files"><tbody>{"".join(rows)}</tbody></table>'


def choices(pictures: Sequence[Picture]) -> list[tuple[str, int]]:
    """Pictures to choose from, by place."""
    return [(picture.name, number) for number, picture in enumerate(pictures)]


def _row(key: str, name: str, size: int) -> str:
    plain = re.sub(r"_\d+(?=\.\w+$)", "", name)  # without the person's number
    kind = next((words for end, words in _KINDS.items() if plain.endswith(end)), "")
    link = f'<a href="{url(key, name)}?download" download="{escape(PurePosixPath(name).name)}">{escape(name)}</a>'
    return f"<tr><td>{link}</td><td>{kind}</td><td>{_size(size)}</td></tr>"


def _size(count: float) -> str:
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def _css(number: int) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in person_colour(number))
