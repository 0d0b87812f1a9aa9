"""The whole app in a browser without a network: a file is dropped, its result looked at and downloaded."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.export.test_export_page import BROWSERS
from tests.helpers import ROOT

NASTY = "<img src=x onerror=document.title=1>.npy"
WAIT = 60_000  # milliseconds, on a machine that others load
FLAGS = (
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


@pytest.fixture
def address(tmp_path):
    pytest.importorskip("gradio", reason="needs sh requirements.sh --with-app")
    command = [sys.executable, "demo/app.py", "--port", "0", "--device", "cpu", "--renderer", "software"]
    kept = tmp_path / "temporary"
    kept.mkdir()
    environment = os.environ | {"TMPDIR": str(kept)}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as server:
        yield server.stdout.readline().split()[3]
        server.terminate()
    assert server.returncode == 0
    assert not list(kept.glob("pose2mesh_app_*"))


@pytest.fixture
def page(address):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, a package for Python")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser found ({', '.join(BROWSERS)})")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(WAIT)
        page.asked, page.faults = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.goto(address)
        yield page
        browser.close()


def lift(page, name: str, content: bytes) -> str:
    """What the page says of a file."""
    chosen = "#p2m-files input[type=file]"
    page.wait_for_selector(chosen, state="attached")
    page.set_input_files(chosen, [{"name": name, "mimeType": "application/octet-stream", "buffer": content}])
    page.wait_for_selector("#p2m-files table")
    page.dispatch_event("#p2m-run", "click")  # a click at a place misses: the list of files has just moved the button
    return page.inner_text(".p2m-status.done, .p2m-status.refused")


def test_a_dropped_file_becomes_a_mesh(page, address, tmp_path):
    shown = page.locator(".p2m-welcome img")
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    page.click("text=More about the result")  # whose empty numbers gradio sends as 0
    said = lift(page, NASTY, (ROOT / "demo" / "sample_pose_coco.npy").read_bytes())
    assert said.startswith("Done in"), said
    assert page.locator("img.p2m-shown").first.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    page.get_by_role("tab", name="3D", exact=True).click()
    scene = page.frame_locator("iframe.p2m-scene")
    scene.locator("body[data-drawn='1']").wait_for()
    page.get_by_role("tab", name="Messages", exact=True).click()
    assert f"Poses: {NASTY}" in page.inner_text(".p2m-messages >> nth=-1")  # as text
    page.get_by_role("tab", name="Files", exact=True).click()
    with page.expect_download() as download:
        page.click(".p2m-files a:has-text('demo_mesh.obj')")
    download.value.save_as(tmp_path / "mesh.obj")
    assert (tmp_path / "mesh.obj").read_text().count("\nv ") > 1000
    assert page.title() == "Pose2Mesh"
    assert page.faults == []
    assert [url for url in page.asked if not url.startswith((address, "data:", "blob:"))] == []
