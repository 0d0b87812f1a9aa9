"""The page's choices and files, before anything is lifted; needs no gradio."""

import dataclasses
import html

import pytest

from lib.app import views
from lib.app.form import FILM_FILES, PICTURE_FILES, Form
from lib.app.store import Store
from lib.app.uploads import SAMPLES, Inputs, harmless, take_in
from lib.app.work import ALL, Done, Picture, Progress
from lib.demo.options import PICTURE_FORMATS, SEQUENCE_FORMATS, DemoOptions

NASTY = '"><img src=x onerror=alert(1)>'


def test_choices_become_options(tmp_path):
    values = {"joint_set": "mano", "hand_side": "left", "people": "2, 0", "joint_score": 0.3, "height": 1.8,
              "turntable": True, "fps": 0,
              "frames": "film", "smooth": "both", "film_files": ["npz"], "picture_files": []}  # fmt: skip
    form = Form.of(values)
    options = form.options(Inputs(tmp_path / "a.json"), DemoOptions(device="cpu"))
    assert (options.joint_set, options.hand_side, options.people, options.height) == ("mano", "left", (2, 0), 1.8)
    assert (options.turntable, options.fps) == (True, None)
    assert (options.joint_score, options.video, options.detect, options.device) == (0.3, True, False, "cpu")
    assert form.saved(options, True, True).save == ("mp4", "html", "npz")
    assert form.saved(options, True, False).smooth == "both"
    pictures = form.saved(options, False, False)
    assert (pictures.save, pictures.smooth) == ((), "")  # a filter of films is no error of pictures
    assert "for films" in form.ignored(False)
    assert Form().options(Inputs(pictures=tmp_path / "a.jpg"), DemoOptions()).detect
    sample = Form().options(SAMPLES["hand"], DemoOptions())
    assert (sample.joint_set, sample.hand_side) == ("mano", "left")


def test_the_page_offers_all_formats():
    assert {*PICTURE_FILES, "html"} == set(PICTURE_FORMATS)
    assert {*FILM_FILES, "mp4", "html"} == set(SEQUENCE_FORMATS)


@pytest.mark.parametrize(
    "values",
    [{"joint_set": NASTY}, {"mesh": 3}, {"people": "0; 1"}, {"people": "9" * 40}, {"people": ["0"]},
     {"format": "x" * 300},
     {"height": "tall"}, {"height": float("nan")}, {"focal": 1e30}, {"fps": True}, {"film_files": ["exe"]},
     {"picture_files": "obj"}, {"smooth": []}],
)  # fmt: skip
def test_what_the_page_does_not_offer_is_refused(values):
    with pytest.raises(ValueError):
        Form.of(values)


def test_every_field_can_be_sent():
    assert Form.of(dataclasses.asdict(Form())) == Form()


def test_files_are_sorted_by_kind(tmp_path):
    (tmp_path / "data").write_text("x")

    def sorted_(*names):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        found = take_in([(name, tmp_path / "data") for name in names], folder)
        assert all(path.read_text() == "x" for path in folder.rglob("*.*"))
        return [path and path.relative_to(folder).as_posix() for path in (found.poses, found.pictures)]

    assert sorted_("a.json", "b.MP4") == ["poses/a.json", "images/b.MP4"]
    assert sorted_("1.json", "2.json") == ["poses", None]
    assert sorted_("a.jpg", "b.png") == [None, "images"]
    assert sorted_("labels.txt") == ["poses", None]
    assert sorted_("../../x y(1).json")[0] == "poses/x y(1).json"
    for names, words in (
        ((), "drop a file"),
        (("a.json", "b/a.json"), "two files"),
        (("a.mp4", "b.jpg"), "one video"),
        (("a.npy", "b.json"), "one of them"),
    ):
        with pytest.raises(ValueError, match=words):
            sorted_(*names)


def test_names_fit_file_systems():
    for name in ("..", "", "/", "a/..", "\0\n", "x" * 500 + ".json", "ü" * 300 + ".jpg", "\ud800.jpg", NASTY):
        safe = harmless(name)
        assert "/" not in safe
        assert safe.isprintable()
        assert safe.strip(".")
        assert len(safe.encode()) < 256
    assert harmless("x" * 500 + ".json").endswith(".json")


def test_texts_of_files_are_never_markup():
    picture = Picture(NASTY, NASTY, NASTY, NASTY, NASTY, (0,))
    done = Done((picture,), ((ALL, 5), (NASTY, 123_456)))
    made = [
        views.messages([NASTY, f"Warning: {NASTY}"]), views.refusal(NASTY), views.files("key", done),
        views.image("key", NASTY, NASTY, NASTY), views.overlay("key", picture), views.scene("key", NASTY),
        views.status(Progress(NASTY, 1, 2), 1), views.image("key", None, NASTY, NASTY),
    ]  # fmt: skip
    assert not any("<img src=x" in text or NASTY in text for text in made)
    assert html.escape(NASTY) in made[0]
    assert 'sandbox="allow-scripts"' in made[5]


def test_files_live_as_long_as_their_page(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = Store(keep=100)
    folder = store.uploads / "hash"
    folder.mkdir()
    (folder / "a.json").write_text("same file, sent twice")
    for session in ("one", "two"):
        store.uploaded(session, folder / "a.json")
    for path in (store.root / "lock", folder / "b.json", "/etc/hostname", folder / ".." / ".." / "lock"):
        with pytest.raises(ValueError, match="drop it again"):
            store.uploaded("one", path)
    with store.job("one") as (key, results, inputs):
        (results / "a.obj").write_text("")
        (results / "secret").write_text("")
        assert store.path(key, "a.obj") is None
        store.offer(key, ["a.obj"])
    assert not inputs.exists()
    assert store.path(key, "a.obj").is_file()
    for name in ("secret", "../../lock", "", "."):
        assert store.path(key, name) is None
    with pytest.raises(ZeroDivisionError), store.job("one") as (_, failed, _):
        raise ZeroDivisionError
    assert not failed.exists()
    store.close("one")
    assert store.path(key, "a.obj") is None
    assert (folder / "a.json").is_file()
    store.close("two")
    assert not folder.exists()
    killed = tmp_path / "pose2mesh_app_killed"
    killed.mkdir()
    (killed / "lock").touch()
    other = Store(keep=-1)  # another app, whose start tidies up
    assert not killed.exists()
    assert store.root.exists()
    (other.uploads / "old").mkdir()
    other.sweep()
    assert not list(other.uploads.iterdir())
    for each in (store, other):
        each.remove()
    assert not list(tmp_path.iterdir())
