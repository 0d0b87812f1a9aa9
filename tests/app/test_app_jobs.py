"""Jobs: their process, cancelling, limits; lifting itself, in this process. Needs no gradio."""

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from lib.app.form import Form
from lib.app.jobs import Jobs, Limits
from lib.app.server import Guard, ServerOptions, is_loopback, listen
from lib.app.sessions import Sessions
from lib.app.store import Store
from lib.app.uploads import SAMPLES, Inputs
from lib.app.work import Done, Line, Predictors, Progress, Refused, Task, _answer, _Output, _progress, run
from lib.demo.options import DemoOptions
from tests.helpers import ROOT

BASE = DemoOptions(device="cpu", renderer="software")


def stand_in(pipe, base) -> None:
    """In place of lifting: does what the task's format says."""
    with suppress(EOFError, OSError):
        while True:
            task = pipe.recv()
            if task.form.format == "die":
                os._exit(1)
            if task.form.format == "stall":
                pipe.send(Line("stalled"))
                time.sleep(60)
            pipe.send(Line(f"process {os.getpid()}"))
            pipe.send(Refused("bad") if task.form.format == "bad" else Done((), ()))


def task(tmp_path, what: str = "") -> Task:
    return Task(Form(format=what), Inputs(), replace(BASE, output=tmp_path), 100)


@pytest.fixture
def jobs():
    found = Jobs(BASE, Limits(), stand_in)
    yield found
    found.close()


def reports(jobs, *given):
    return [report for report in jobs.run(*given) if report != Line("")]


def test_jobs_share_a_process_until_one_of_them_fails(jobs, tmp_path):
    first, done = reports(jobs, "a", task(tmp_path))
    assert done == Done((), ())
    assert reports(jobs, "a", task(tmp_path, "bad")) == [first, Refused("bad")]
    (ended,) = reports(jobs, "a", task(tmp_path, "die"))
    assert "has ended" in ended.reason
    second, done = reports(jobs, "a", task(tmp_path))
    assert (second != first, done) == (True, Done((), ()))
    stalled = jobs.run("a", task(tmp_path, "stall"))
    while next(stalled) != Line("stalled"):
        pass
    other = jobs.run("b", task(tmp_path))  # waits, and is not cancelled with the first one's
    assert next(other) == Progress("waiting", 1, None)
    jobs.cancel("a")
    assert Refused("Cancelled") in list(stalled)
    assert list(other)[-1] == Done((), ())
    jobs.cancel("b")  # too late, and no harm to the next
    assert list(jobs.run("b", task(tmp_path)))[-1] == Done((), ())


def test_jobs_have_limits(jobs, tmp_path):
    jobs.limits = Limits(seconds=0.3)
    assert "stopped after" in reports(jobs, "a", task(tmp_path, "stall"))[-1].reason
    jobs.limits = Limits(result_bytes=10)
    (tmp_path / "large").write_text("x" * 11)
    assert "--max_results" in reports(jobs, "a", task(tmp_path, "stall"))[-1].reason
    # the page is closed during the work: nobody asks for more
    stalled = jobs.run("a", task(tmp_path, "stall"))
    next(stalled)
    stalled.close()
    jobs.limits = Limits()
    assert reports(jobs, "b", task(tmp_path))[-1] == Done((), ())


def test_bars_of_the_demo_are_read():
    from tqdm import tqdm

    seen = []
    stream = _Output(seen.append, _progress, terminal=True)
    for total, what in ((3, "body shapes"), (3, None), (None, "detecting")):
        for _ in tqdm(iter("abc"), what, total, unit="image", file=stream, disable=None, mininterval=0):
            pass
    assert {(bar.what, bar.total) for bar in seen} == {("body shapes", 3), ("lifting", 3), ("detecting", None)}
    assert max(bar.done for bar in seen) == 3


class InThisProcess:
    """Jobs without a process."""

    limits = Limits(frames=59)

    def run(self, session, given):
        heard: list = []
        answer = _answer(given, Predictors(), heard.append)
        return [*heard, answer]

    def cancel(self, session):
        pass


@pytest.fixture
def sessions(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = Store(100)
    yield Sessions(store, InThisProcess(), BASE, {})
    store.remove()


def sent(sessions, name: str, content: bytes) -> list[dict]:
    folder = sessions.store.uploads / str(len(list(sessions.store.uploads.iterdir())))
    folder.mkdir()
    (folder / "upload").write_bytes(content)
    return [{"path": str(folder / "upload"), "orig_name": name}]


def test_a_result_can_be_looked_at_and_fetched(sessions):
    pose = ROOT.joinpath("demo", "sample_pose_coco.npy").read_bytes()
    *_, last = sessions.lift("a", sent(sessions, "my pose.npy", pose), "", {"picture_files": ["obj"]})
    assert last.refused == ""
    assert last.lines[0].startswith("Poses: my pose.npy (")  # by the user's name, without folders of this machine
    assert not any(str(sessions.store.root) in line or str(ROOT) in line for line in last.lines)
    (picture,) = last.done.pictures
    names = [name for name, _ in last.done.files]
    assert names[0] == "all_files.zip"
    assert {picture.joints, picture.overlay, picture.scene, "demo_mesh.obj"} <= set(names)
    assert all(sessions.store.path(last.key, name) for name in names)
    sessions.close("a")
    assert not any(sessions.store.path(last.key, name) for name in names)


@pytest.mark.parametrize(
    "name, content", [("a.json", b"{"), ("<b>.npy", b""), ("a.jpg", b"nothing"), ("a.mp4", b"nothing")]
)
def test_bad_files_are_refused_in_words(sessions, name, content):
    *_, last = sessions.lift("a", sent(sessions, name, content), "", {})
    assert name in last.refused
    assert str(sessions.store.root) not in last.refused
    assert not list(sessions.store.root.glob("results/*")) + list(sessions.store.root.glob("inputs/*"))


def test_films_that_are_too_long_are_refused(sessions):
    *_, last = sessions.lift("a", None, "film", {})
    assert "60 frames, this page takes up to 59" in last.refused


def test_chosen_people_alone_are_lifted(tmp_path):
    given = Task(Form(people="2", picture_files=()), SAMPLES["scene"], replace(BASE, output=tmp_path), 9)
    done = run(given, Predictors())
    assert done.pictures[0].people == (2,)
    nobody = replace(given, form=Form(people="7"))
    with pytest.raises(ValueError, match=r"--people 7: those who can be lifted are 0, 1, 2, 3"):
        run(nobody, Predictors())


def ask(guard, path="/", headers=(), body=(b"",)):
    """Status, headers and what the application got."""
    answers, parts = [], list(body)

    async def receive():
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message):
        answers.append(message)

    asyncio.run(guard({"type": "http", "path": path, "headers": headers}, receive, send))
    return answers[0]["status"], dict(answers[0]["headers"])


def test_requests_are_limited(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store, got = Store(100), []

    async def app(scope, receive, send):
        got.append((await receive())["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    guard = Guard(app, ServerOptions(upload_bytes=100), store)
    host = (b"host", b"127.0.0.1:7860")
    code, headers = ask(guard, headers=[host])
    assert (code, b"default-src 'self'" in headers[b"content-security-policy"]) == (200, True)
    assert b"sandbox" in ask(guard, "/results/key/a.html", [host])[1][b"content-security-policy"]
    for name in (b"evil.example", b"127.0.0.1.evil.example", b"", b"10.0.0.1:7860"):
        assert ask(guard, headers=[(b"host", name)])[0] == 421
    assert ask(Guard(app, ServerOptions("0.0.0.0"), store), headers=[(b"host", b"gpu.lab")])[0] == 200
    large = [host, (b"content-length", b"2000000")]
    assert ask(guard, "/gradio_api/upload", large)[0] == 413
    assert ask(Guard(app, ServerOptions(upload_bytes=10**7), store), "/gradio_api/upload", large)[0] == 200
    got.clear()
    ask(guard, "/gradio_api/upload", [host], [b"x" * 2_000_000])  # without a length
    assert got == ["http.disconnect"]
    (store.uploads / "many").write_bytes(b"x" * 1001)
    assert ask(guard, "/gradio_api/upload", [host])[0] == 507
    store.remove()


def test_addresses():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "192.168.1.2", "evil.example", "")))
    with listen("127.0.0.1", 0) as taken:
        with pytest.raises(ValueError, match=f"port {taken.getsockname()[1]}: .*--port"):
            listen("127.0.0.1", taken.getsockname()[1])
        with listen("127.0.0.1", None) as free:
            assert 7860 <= free.getsockname()[1] < 7960
    with pytest.raises(ValueError, match="--host no such host"):
        listen("no such host", None)
