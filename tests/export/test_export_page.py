import base64
import html
import json
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from lib.export import Shot, save_html
from lib.mesh.mesh_model import load_mesh_model
from tests.helpers import BROWSERS

RED, BLUE = (1.0, 0.25, 0.25), (0.25, 0.35, 1.0)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--hide-scrollbars", "--window-size=1000,520", "--virtual-time-budget=5000",
)  # fmt: skip

# what a user does, and what the canvas shows before and after
EVENTS = """
<script>
window.addEventListener("load", async () => {
  const canvas = document.getElementById("scene"), seen = [];
  const look = async () => {
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);  // one draws, the next one has drawn
    seen.push(canvas.toDataURL());
  };
  const pointer = (kind, x, y, more) => canvas.dispatchEvent(
    new PointerEvent(kind, { pointerId: 1, clientX: x, clientY: y, buttons: 1, bubbles: true, ...more }));
  canvas.setPointerCapture = () => {};
  const drag = (more) => {
    pointer("pointerdown", 700, 200, more);
    pointer("pointermove", 760, 230, more);
    pointer("pointerup", 760, 230, more);
  };
  await look();
  drag({}); await look();
  drag({ shiftKey: true }); await look();
  canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: 300, cancelable: true })); await look();
  document.getElementById("wires").click(); await look();
  document.getElementById("wires").click();
  canvas.dispatchEvent(new MouseEvent("dblclick")); await look();
  document.body.dataset.seen = seen.map((view) => seen.indexOf(view)).join(" ");
});
</script>
"""


@pytest.fixture(scope="module")
def model():
    return load_mesh_model("body", "open_1723")


@pytest.fixture(scope="module")
def people(model):
    """A red person on the left and a blue one on the right."""
    template = model.params().v_template.numpy() * np.array([1, -1, -1], np.float32)
    return np.stack([template + np.float32([-0.6, 0, 3]), template + np.float32([0.6, 0, 3])])


def page_data(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S).group(1))


def decode(frame, person):
    levels = np.frombuffer(base64.b64decode(person["vertices"]), "<u2").reshape(-1, 3)
    low, high = np.array(frame["low"]), np.array(frame["high"])
    return low + levels * (high - low) / 65535


def watch(path, events=""):
    """Note errors, and draw by the clock: a browser whose time runs ahead leaves out animation frames."""
    start = """<head><script>
      onerror = (text) => { document.documentElement.dataset.error = text; };
      requestAnimationFrame = (draw) => setTimeout(() => draw(performance.now()), 16);
    </script>"""
    text = path.read_text().replace("<head>", start, 1).replace("</body>", events + "</body>", 1)
    path.write_text(text)


def browse(path, *options) -> str:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser found ({', '.join(BROWSERS)})")
    profile = path.parent / "profile"
    command = [program, *FLAGS, f"--user-data-dir={profile}", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_page_holds_meshes_colours_faces_and_picture(people, model, tmp_path):
    picture = np.full((90, 160, 3), (0, 0, 255), np.uint8)
    save_html(tmp_path / "new" / "a.html", Shot(people, [RED, BLUE], picture, "photo.jpg"), model.faces)
    data = page_data(tmp_path / "new" / "a.html")
    (frame,) = data["frames"]
    for person, vertices, colour in zip(frame["people"], people, (RED, BLUE)):
        np.testing.assert_allclose(decode(frame, person), vertices, atol=3e-5)
        assert person["colour"] == list(colour)
    indices = np.frombuffer(base64.b64decode(data["indices"]), "<u4").reshape(-1, 3)
    np.testing.assert_array_equal(indices, model.faces)
    kind, _, content = frame["picture"].partition(",")
    assert kind == "data:image/jpeg;base64"
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == picture.shape
    assert np.abs(shown.astype(int) - picture).max() < 6


def test_page_needs_no_network(people, model, tmp_path):
    save_html(tmp_path / "a.html", Shot(people), model.faces)
    text = (tmp_path / "a.html").read_text()
    assert not re.search(r"https?:|src=|href=|@import|import\(|fetch\(|XMLHttp", text)
    assert len(text) < 120_000


def test_texts_cannot_leave_their_place(people, model, tmp_path):
    nasty = "</script><b>{{data}}"
    save_html(tmp_path / "a.html", Shot(people, label=nasty), model.faces, title=nasty)
    text = (tmp_path / "a.html").read_text()
    assert nasty not in text
    assert text.count(html.escape(nasty)) == 2
    assert page_data(tmp_path / "a.html")["frames"][0]["label"] == nasty


def test_animation_is_small_and_may_have_empty_frames(people, model, tmp_path):
    shots = (Shot(people[: n % 3], picture=np.zeros((900, 1600, 3), np.uint8)) for n in range(6))
    save_html(tmp_path / "a.html", shots, model.faces, fps=12)
    data = page_data(tmp_path / "a.html")
    assert [len(frame["people"]) for frame in data["frames"]] == [0, 1, 2, 0, 1, 2]
    assert data["fps"] == 12
    np.testing.assert_allclose(data["low"], people.min(axis=(0, 1)), atol=1e-6)
    content = data["frames"][0]["picture"].partition(",")[2]
    assert cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), 1).shape == (360, 640, 3)


def test_people_may_have_faces_of_their_own(people, model, tmp_path):
    """Lists of faces that are alike are kept once."""
    triangle, corners = np.array([[0, 1, 2]]), np.float32([[0, 0, 3], [1, 0, 3], [0, 1, 3]])
    shots = [Shot([people[0], corners, people[1]], faces=[model.faces, triangle, model.faces]), Shot(people[:1])]
    save_html(tmp_path / "a.html", shots, model.faces)
    data = page_data(tmp_path / "a.html")
    indices = np.frombuffer(base64.b64decode(data["indices"]), "<u4")
    np.testing.assert_array_equal(indices.reshape(-1, 3), np.concatenate([model.faces, triangle]))
    places = [[person["faces"] for person in frame["people"]] for frame in data["frames"]]
    whole = [0, model.faces.size]
    assert places == [[whole, [model.faces.size, 3], whole], [whole]]
    np.testing.assert_allclose(decode(data["frames"][0], data["frames"][0]["people"][1]), corners, atol=3e-5)


def test_unusable_pages(people, model, tmp_path):
    path = tmp_path / "a.html"
    path.write_text("old")
    for shots in ([], [Shot(people[:0])]):
        with pytest.raises(ValueError, match="nothing to show"):
            save_html(path, shots, model.faces)
    with pytest.raises(ValueError, match="2 people, but 1 colours"):
        save_html(path, Shot(people, [RED]), model.faces)
    with pytest.raises(ValueError, match="pictures must be uint8"):
        save_html(path, Shot(people, picture=np.zeros((4, 4, 3))), model.faces)
    with pytest.raises(ValueError, match="NaN"):
        save_html(path, Shot(people * np.nan), model.faces)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.html"]


def test_browser_draws_people_and_picture(people, model, tmp_path):
    path = tmp_path / "a b.html"
    save_html(path, Shot(people, [RED, BLUE], np.full((90, 160, 3), (0, 200, 0), np.uint8)), model.faces)
    browse(path, f"--screenshot={tmp_path / 'shot.png'}", path.as_uri())
    shot = cv2.imread(str(tmp_path / "shot.png")).astype(int)
    assert shot.shape == (520, 1000, 3)
    blue, green, red = np.moveaxis(shot, 2, 0)
    picture, left, right = (green > red + 80), (red > blue + 40), (blue > red + 40)
    height, width = shot.shape[:2]
    assert picture[:, : width // 2].mean() > 0.4
    assert not picture[:, width // 2 :].any()
    scene = np.stack([left, right])[:, 60 : height - 60, width // 2 + 10 : width - 10]
    assert (scene.mean(axis=(1, 2)) > 0.01).all()
    columns = [np.argwhere(person)[:, 1].mean() for person in scene]
    assert columns[0] < columns[1]


def test_browser_turns_moves_and_zooms(people, model, tmp_path):
    path = tmp_path / "a.html"
    save_html(path, Shot(people), model.faces)
    watch(path, EVENTS)
    page = browse(path, "--dump-dom", path.as_uri())
    assert "data-error" not in page
    assert 'data-drawn="2"' in page
    seen = re.search(r'data-seen="([\d ]+)"', page).group(1)
    # every action changes the view, the double click brings back the first
    assert seen == "0 1 2 3 4 0"


def test_browser_plays_animations(people, model, tmp_path):
    path = tmp_path / "a.html"
    save_html(path, [Shot(people[:1], label=f"frame {n}") for n in range(100)], model.faces, fps=10)
    watch(path)
    page = browse(path, "--dump-dom", path.as_uri())
    label = re.search(r'<span id="label">frame (\d+)</span>', page)
    assert int(label.group(1)) > 0
    assert "data-error" not in page
    assert 'data-drawn="1"' in page
