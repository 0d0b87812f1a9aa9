"""The web page of ``docs/web`` in a browser, and a trial of the pages of all shipped weights:

    python -m tests.support.web_page FOLDER

writes the pages and their pictures to a folder, compares all samples' meshes with the predictor's and prints the
largest difference, the time per pose and the size. Needs what ``docs/web/README.md`` names, playwright and a browser.
"""

import json
import shutil
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lib import ROOT
from lib.onnx.onnx_export import load_trained
from lib.onnx.web_page import find_runtime, write_web_page
from lib.predictor import Pose2MeshPredictor
from lib.predictor.surfaces import Circumstances
from tests.helpers import BROWSERS

_FLAGS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
_READ = """(body, texts) => texts.map((text) => {
  try { return readPoses(text, readData("model").sources); } catch (error) { return error.message; }
})"""


@contextmanager
def open_browser():
    """A browser without a network; the calling test is skipped, with the reason, where there is none."""
    tools = pytest.importorskip("playwright.sync_api", reason="playwright, which drives the browser, is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser found ({', '.join(BROWSERS)})")
    with tools.sync_playwright() as tool, tool.chromium.launch(executable_path=program, args=_FLAGS) as browser:
        yield browser


class Page:
    """A page as its user has it before her, opened from disk."""

    def __init__(self, browser, path):
        self.errors, self.requests = [], []
        self.tab = browser.new_page()
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(path.as_uri())
        self.tab.wait_for_selector("body[data-state=ready]", timeout=30_000)

    def paste(self, text) -> str:
        """What the page says of a JSON text."""
        self.tab.fill("#json", text if isinstance(text, str) else json.dumps(text))
        return self.click("#go")

    def click(self, button) -> str:
        return self._said(lambda: self.tab.click(button))

    def give(self, file) -> str:
        return self._said(lambda: self.tab.set_input_files("#files", file))

    def _said(self, act) -> str:
        self.tab.locator("#status").evaluate("box => { box.textContent = ''; }")
        act()
        self.tab.wait_for_selector("#status:not(:empty)")
        return self.tab.inner_text("#status")

    def read(self, contents) -> list:
        """The pictures that the page reads in each content, or what it says of it."""
        texts = [content if isinstance(content, str) else json.dumps(content) for content in contents]
        return self.tab.locator("body").evaluate(_READ, texts)

    def saved(self, kind) -> bytes:
        with self.tab.expect_download() as waiting:
            self.tab.click(f"[data-file={kind}]")
        return waiting.value.path().read_bytes()

    def people(self) -> list[dict]:
        return json.loads(self.saved("json"))["people"]


def differences(people: list[dict], prediction) -> tuple[float, float]:
    """Largest differences of a page's people to a prediction: meshes in metres, ``pose3d`` in millimetres."""
    pairs = ("mesh", prediction.mesh), ("pose3d", prediction.pose3d)
    metres, millimetres = (
        float(np.abs(np.array([person[name] for person in people]) - values.numpy()).max()) for name, values in pairs
    )
    return metres, millimetres


def try_weights(browser, name: str, folder: Path) -> None:
    weights = ROOT / "experiment" / f"pose2mesh_{name}J_open"
    path = write_web_page(load_trained(weights), folder / f"{name}.html", find_runtime())
    predictor = Pose2MeshPredictor(None, weights, "cpu", mesh="network")
    start = time.perf_counter()
    page = Page(browser, path)
    print(f"{name}: {path.stat().st_size / 1e6:.1f} MB, ready after {time.perf_counter() - start:.1f} s")
    hands = predictor.joint_set.body == "hand"
    for number in range(1, page.tab.locator("#samples button").count() + 1):
        for left in (False, True) if hands else (False,):
            page.tab.set_checked("#left", left) if hands else None
            said = sorted((page.click(f"#samples button:nth-child({number})") for _ in range(9)), key=_milliseconds)
            people = page.people()
            known = Circumstances(left=np.full(len(people), left))
            metres, millimetres = differences(people, predictor.predict([p["keypoints"] for p in people], known=known))
            print(f"  {said[0]} (best of {len(said)}); meshes {metres:.1e} m, pose3d {millimetres:.1e} mm apart")
            assert metres < 1e-4
            page.tab.set_viewport_size({"width": 1300, "height": 800})
            page.tab.screenshot(path=folder / f"{name}_{number}{'_left' * left}.png")
            for kind in ("obj", "glb"):
                (folder / f"{name}_{number}{'_left' * left}.{kind}").write_bytes(page.saved(kind))
    page.tab.set_viewport_size({"width": 400, "height": 800})
    page.tab.screenshot(path=folder / f"{name}_phone.png", full_page=True)
    assert page.errors == []
    page.tab.close()


def _milliseconds(said: str) -> float:
    return float(said.partition(" in ")[2].split()[0])


def main() -> None:
    folder = Path(sys.argv[1])
    with open_browser() as browser:
        for name in ("coco", "human36", "smpl", "mano"):
            try_weights(browser, name, folder)


if __name__ == "__main__":
    main()
