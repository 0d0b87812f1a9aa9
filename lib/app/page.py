"""The page itself: what is on it, and what its buttons do."""

from pathlib import Path
from typing import Any

from lib.app import views
from lib.app.form import AUTO, FILM, FILM_FILES, MESHES, PHOTOS, PICTURE_FILES, Form
from lib.app.sessions import Sessions, State
from lib.app.uploads import SAMPLES
from lib.app.work import Done, Picture
from lib.demo.options import DemoOptions
from lib.joints.tables import JOINT_SETS
from lib.poses.detectors import TOOLS
from lib.poses.formats.table import FORMATS
from lib.runtime.optional import optional

TITLE = "Pose2Mesh"
STYLE = Path(__file__).with_suffix(".css")
_SHOWN_WHILE_WORKING = 4  # of the last lines
_WAITING = 64  # jobs in the queue
_TABS = ("Overlay", "2D joints", "3D", "Messages", "Files")
# on small screens it lies below the form
_TO_THE_RESULT = (
    "() => { if (innerWidth < 900) document.getElementById('p2m-status').scrollIntoView({behavior: 'smooth'}); }"
)
_OF_PICTURES = 3  # first tabs, which show one picture of several


def build_page(sessions: Sessions):
    """The page as gradio's blocks."""
    gr: Any = optional("gradio", extra="app", use="demo/app.py")
    frames = sessions.jobs.limits.frames
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML('<div class="p2m-title"><b>Pose2Mesh</b> 2D human poses to 3D meshes</div>')
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=330):
                files = gr.File(
                    label="Photo, video or file of 2D poses, or poses with theirs",
                    file_count="multiple",
                    height=150,
                    elem_id="p2m-files",
                )
                with gr.Row():
                    run = gr.Button("Lift to 3D", variant="primary", min_width=120, elem_id="p2m-run")
                    cancel = gr.Button("Cancel", variant="secondary", min_width=120, elem_id="p2m-cancel")
                with gr.Row(elem_classes="p2m-samples"):
                    samples = {
                        name: gr.Button(f"Sample: {title}", size="sm", min_width=80, elem_id=f"p2m-{name}")
                        for name, title in zip(SAMPLES, ("scene", "film", "left hand"))
                    }
                fields = _fields(gr)
            with gr.Column(scale=5, min_width=500):
                status = gr.HTML(elem_id="p2m-status")
                picture = gr.Dropdown(label="Picture", choices=[], visible=False, interactive=True)
                with gr.Tabs() as tabs:
                    shown = {}
                    for name in _TABS:
                        first = (
                            views.welcome(_detector(sessions.base)) if name == _TABS[0] else views.hint("Nothing yet")
                        )
                        with gr.Tab(name, id=name):
                            shown[name] = gr.HTML(first)
        outputs = [status, picture, tabs, *shown.values()]

        def show(state: State) -> list:
            return _updates(gr, state)

        def lift(sample: str):
            def start(request: gr.Request, files, *values):
                given = dict(zip(fields, values))
                for state in sessions.lift(request.session_hash, files, sample, given):
                    yield show(state)

            return start

        # values come as the browser sent them: the form checks them and refuses in words
        quiet = {"show_progress": "hidden", "api_visibility": "private"}
        options = {"preprocess": False, "concurrency_limit": _WAITING, **quiet}
        for button, sample in ((run, ""), *((button, name) for name, button in samples.items())):
            button.click(lift(sample), [files, *fields.values()], outputs, **options)
            button.click(None, js=_TO_THE_RESULT, **quiet)

        def uploaded(request: gr.Request, sent) -> None:
            sessions.uploads(request.session_hash, sent)  # they go with the page, lifted or not

        def stop(request: gr.Request) -> None:
            sessions.jobs.cancel(request.session_hash)

        def choose(request: gr.Request, number):
            key, done = sessions.results.get(request.session_hash, ("", Done((), ())))
            if not isinstance(number, int) or not 0 <= number < len(done.pictures):
                return [gr.skip()] * _OF_PICTURES
            return _of_picture(key, done.pictures[number])

        def close(request: gr.Request) -> None:
            sessions.close(request.session_hash)

        # past the queue: where a queued event ends as "Lift" is pressed, gradio's page misses all that follows
        beside = {"queue": False, **quiet}
        files.upload(uploaded, files, preprocess=False, **beside)
        cancel.click(stop, **beside)
        of_picture = [shown[name] for name in _TABS[:_OF_PICTURES]]
        picture.input(choose, picture, of_picture, preprocess=False, **beside)
        blocks.unload(close)
        gr.HTML(
            f'<div class="p2m-foot">Films of up to {frames} frames. Files are removed when the page is closed. '
            "Names behind the dots are those of demo/run.py, which messages use.</div>"
        )
    blocks.queue(max_size=_WAITING)
    return blocks


def _detector(base: DemoOptions) -> bool:
    """Poses can be found in photos and videos."""
    return any(tool.lacking("body", base.detector_model) is None for tool in TOOLS.values())


def _fields(gr) -> dict[str, Any]:
    """The form's fields by name; labels end with the demo's option of the same meaning, which messages speak of."""
    usual = Form()
    joint_sets = [(f"{name}: {joints.keypoint_num} joints", name) for name, joints in JOINT_SETS.items()]
    fields: dict[str, Any] = {}
    with gr.Row():
        fields["joint_set"] = gr.Dropdown(
            joint_sets, value=usual.joint_set, label="Joints · --joint_set", min_width=140
        )
        meshes = [("auto", MESHES[0]), *((name, name) for name in MESHES[1:])]
        fields["mesh"] = gr.Dropdown(meshes, value=usual.mesh, label="Mesh · --mesh", min_width=140)
    with gr.Row():
        smooth = [("none", ""), ("2D poses", "input"), ("meshes", "output"), ("both", "both")]
        fields["smooth"] = gr.Dropdown(smooth, value=usual.smooth, label="Smooth films · --smooth", min_width=140)
        fields["people"] = gr.Textbox(label="People · --people", placeholder="all, or 0, 2", min_width=140, max_lines=1)
    with gr.Accordion("More about the input", open=False):
        with gr.Row():
            kinds = [("as the files say", AUTO), ("a film · --video", FILM), ("photos · --photos", PHOTOS)]
            fields["frames"] = gr.Dropdown(kinds, value=usual.frames, label="Several frames are", min_width=140)
            known = [("recognised", ""), *((name, name) for name in FORMATS)]
            fields["format"] = gr.Dropdown(
                known, value=usual.format, label="Format or joints · --format", allow_custom_value=True, min_width=140
            )
        with gr.Row():
            sides = [("as the file says", ""), ("left", "left"), ("right", "right")]
            fields["hand_side"] = gr.Dropdown(sides, value="", label="Hands are · --hand_side", min_width=140)
            tools = [("the best there is", "auto"), *((tool.title, name) for name, tool in TOOLS.items())]
            fields["detector"] = gr.Dropdown(tools, value=usual.detector, label="Detector · --detector", min_width=140)
        with gr.Row():
            fields["joint_score"] = gr.Number(
                usual.joint_score, label="Joints are missing up to score · --min_score", min_width=140, step=0.05
            )
            fields["fps"] = gr.Number(0, label="Frames per second, 0: as the files say · --fps", min_width=140)
        fields["fill"] = gr.Checkbox(usual.fill, label="Fill missing joints (else: --no_fill)", container=False)
        fields["hands"] = gr.Checkbox(usual.hands, label="Hands of the hand network · --hands", container=False)
    with gr.Accordion("More about the result", open=False):
        with gr.Row():
            fields["height"] = gr.Number(0, label="Height in metres, 0: unknown · --height", min_width=140, step=0.01)
            fields["focal"] = gr.Number(0, label="Focal length in pixels, 0: unknown · --focal", min_width=140)
        fields["constant_shape"] = gr.Checkbox(
            usual.constant_shape, label="One shape per person of films · --constant_shape", container=False
        )
        fields["turntable"] = gr.Checkbox(
            usual.turntable, label="Film of the meshes from all round · --turntable", container=False
        )
        fields["picture_files"] = gr.CheckboxGroup(
            list(PICTURE_FILES), value=list(usual.picture_files), label="Files of pictures · --save"
        )
        fields["film_files"] = gr.CheckboxGroup(
            list(FILM_FILES), value=list(usual.film_files), label="Files of films, beside mp4 · --save"
        )
    return fields


def _of_picture(key: str, picture: Picture) -> list[str]:
    """What is in the first tabs."""
    legend = views.people(picture)
    joints = views.image(key, picture.joints, "2D joints", "of a film: see 3D, where they play beside the meshes")
    return [legend + shown for shown in (views.overlay(key, picture), joints, views.scene(key, picture.scene))]


def _updates(gr, state: State) -> list:
    """Values of status, picture, tabs and what is in each tab."""
    messages = views.messages(state.lines)
    if state.done is None:
        text = views.status(state.progress, state.seconds, "Lifting" if state.lines else "Reading")
        if state.refused:
            text = views.refusal(state.refused)
        else:
            text += views.messages(state.lines[-_SHOWN_WHILE_WORKING:]) if state.lines else ""
        contents = [messages if name == "Messages" else views.hint("Nothing yet") for name in _TABS]
        return [text, gr.skip(), gr.skip(), *contents]
    pictures = state.done.pictures
    warnings = sum("Warning:" in line for line in state.lines)
    contents = [*_of_picture(state.key, pictures[0]), messages, views.files(state.key, state.done)]
    return [
        views.finished(state.seconds, warnings),
        gr.update(choices=views.choices(pictures), value=0, visible=len(pictures) > 1),
        gr.Tabs(selected=_TABS[0]),
        *contents,
    ]
