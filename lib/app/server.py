"""The web server around the page: results to look at and to download, limits, what a browser may load."""

import contextlib
import ipaddress
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from lib import ROOT
from lib.app.jobs import Limits, jobs_of
from lib.app.store import Store
from lib.app.views import RESULTS, SAMPLE
from lib.demo.options import DemoOptions
from lib.runtime.optional import optional

_PORTS = range(7860, 7960)  # where a free one is looked for
_SWEEP = 60.0  # seconds
_UPLOADS_KEPT = 10  # times the largest upload, of all sessions together
_BESIDE = 1 << 20  # bytes of a request beside its files
_UPLOAD = "/gradio_api/upload"
# nothing comes from elsewhere, whatever gradio would like to load
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
# pages of results can do nothing but draw what is in them
_SCENE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'"
)
_SHOWN = {".png": "image/png", ".mp4": "video/mp4", ".html": "text/html; charset=utf-8"}


@dataclass(frozen=True)
class ServerOptions:
    """How the app is served.

    Attributes:
        host: address to listen at.
        port: None: the first free one from 7860 on.
        upload_bytes: most of one upload, all its files together.
        keep: seconds for which files are kept while their page is open.
        open_page: open it in the user's browser.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    upload_bytes: int = 200_000_000
    keep: float = 3600.0
    open_page: bool = False


def serve_app(base: DemoOptions, options: ServerOptions, limits: Limits, say: Callable[[str], Any] = print) -> None:
    """Serve the page until the process is asked to end; then everything that was uploaded or made is removed.

    Args:
        base: options of the demo for all jobs: device, weights' root and the like.
        say: gets the line with the address.

    Raises:
        ValueError: the packages are not there, or the address cannot be listened at.
    """
    uvicorn: Any = optional("uvicorn", extra="app", use="demo/app.py")
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(contextlib.closing(listen(options.host, options.port)))
        store = Store(options.keep)
        stack.callback(store.remove)
        jobs = stack.enter_context(jobs_of(base, limits))
        stack.enter_context(_swept(store))
        app = build_app(base, options, store, jobs)
        address = f"http://{_named(options.host)}:{listening.getsockname()[1]}/"
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, server_header=False)
        say(f"Pose2Mesh is at {address} (Ctrl-C ends it)")
        if options.open_page:
            _open_soon(address)
        # uvicorn hands the signal on when it has ended; by default that would end the process before files are removed
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        uvicorn.Server(config).run(sockets=[listening])


def build_app(base: DemoOptions, options: ServerOptions, store: Store, jobs) -> Any:
    """The ASGI application."""
    # read when gradio is imported, or when its application is made
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(store.uploads)
    gradio: Any = optional("gradio", extra="app", use="demo/app.py")
    fastapi: Any = optional("fastapi", extra="app", use="demo/app.py")
    from lib.app.page import STYLE, TITLE, Sessions, build_page

    blocks = build_page(Sessions(store, jobs, base, {}))
    blocks.has_launched = True  # gradio takes files of its upload folder alone only of blocks that were launched
    app = fastapi.FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get(SAMPLE)
    def sample():
        return fastapi.responses.FileResponse(ROOT / "asset" / "pictures" / "demo.jpg")

    @app.get(RESULTS + "/{key}/{name:path}")
    def result(key: str, name: str, download: str | None = None):
        path = store.path(key, name)
        if path is None:
            return fastapi.Response("This file is no longer kept; lift again.", 404, media_type="text/plain")
        kind = None if download is not None else _SHOWN.get(path.suffix)
        way = "inline" if kind else "attachment"
        return fastapi.responses.FileResponse(
            path, media_type=kind, filename=PurePosixPath(name).name, content_disposition_type=way
        )

    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    theme = gradio.themes.Default(
        primary_hue="blue", neutral_hue="slate", font=fonts, font_mono=["ui-monospace", "monospace"],
        spacing_size="sm", text_size="sm",
    )  # fmt: skip
    gradio.mount_gradio_app(
        app, blocks, "/", server_name=options.host, footer_links=[], run_history=False, show_error=True,
        max_file_size=options.upload_bytes, ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False,
        theme=theme, css_paths=[STYLE], app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        i18n=gradio.I18n(en={"common.upload": "Add files"}),  # which gradio has no word for
    )  # fmt: skip
    return Guard(app, options, store)


class Guard:
    """Refuses requests that are too large or were made for another host, and tells browsers what they may load.

    Args:
        app: ASGI application.
    """

    def __init__(self, app: Callable, options: ServerOptions, store: Store):
        self._app, self._options, self._store = app, options, store

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        largest = self._options.upload_bytes + _BESIDE if scope["path"] == _UPLOAD else _BESIDE
        refusal = self._refusal(headers, scope["path"], largest)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        seen = 0

        async def counted():
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            # who says nothing about the length is cut off
            return {"type": "http.disconnect"} if seen > largest else message

        policy = _SCENE_POLICY if scope["path"].startswith(RESULTS) else _POLICY

        async def with_policy(message):
            if message["type"] == "http.response.start":
                added = {
                    b"content-security-policy": policy.encode(),
                    b"x-content-type-options": b"nosniff",
                    b"referrer-policy": b"no-referrer",
                    b"cross-origin-resource-policy": b"same-origin",
                }
                kept = [pair for pair in message["headers"] if pair[0].lower() not in added]
                message = {**message, "headers": [*kept, *added.items()]}
            await send(message)

        await self._app(scope, counted, with_policy)

    def _refusal(self, headers: dict[bytes, bytes], path: str, largest: int) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if is_loopback(self._options.host) and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            # a page elsewhere whose name was made to point here
            return 421, "This app answers to this machine alone; start it with --host to reach it by another name."
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > largest:
            return 413, f"Uploads of up to {self._options.upload_bytes / 1e6:.0f} MB are taken (--max_upload)."
        if path == _UPLOAD and self._store.size() > _UPLOADS_KEPT * self._options.upload_bytes:
            return 507, "Too many uploads are kept at the moment; close pages, or try again later."
        return None


async def _answer(send, code: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens at an address; without a port at the first free one.

    Raises:
        ValueError: the address is not this machine's, or the port is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ValueError(f"--host {host}: {error.strerror}") from error
    reason: OSError | None = None
    for number in _PORTS if port is None else (port,):
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":  # a port that was just left is free; elsewhere this would share one that is taken
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((address[0], number, *address[2:]))
            found.listen()
            return found
        except OSError as error:
            found.close()
            reason = error
    ports = f"{_PORTS[0]} to {_PORTS[-1]}" if port is None else port
    raise ValueError(f"--host {host}, port {ports}: {reason and reason.strerror}; name another one with --port")


def is_loopback(host: str) -> bool:
    """The host is this machine, reachable from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _named(host: str) -> str:
    """How a browser on this machine calls the host."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


@contextlib.contextmanager
def _swept(store: Store) -> Iterator[None]:
    """Old files are removed again and again."""
    ended = threading.Event()

    def sweep() -> None:
        while not ended.wait(_SWEEP):
            store.sweep()

    thread = threading.Thread(target=sweep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _open_soon(address: str) -> None:
    import webbrowser

    timer = threading.Timer(1.0, webbrowser.open, (address,))
    timer.daemon = True
    timer.start()
