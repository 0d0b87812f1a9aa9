"""A page on the loopback address that shows the newest picture as a stream of JPEGs (MJPEG)."""

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import cv2
import numpy as np

_QUALITY = 80
_MOST_VIEWERS = 8
_PATIENCE = 10.0  # seconds that a viewer may take for a picture
_BOUNDARY = "picture"
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Pose2Mesh live</title>
<style>html,body{margin:0;height:100%;background:#111}img{display:block;width:100%;height:100%;object-fit:contain}</style>
<img src="stream.mjpg" alt="meshes over the camera's picture">
</html>
"""


class LivePage:
    """Serves ``/`` (the page), ``/stream.mjpg`` and ``/newest.jpg`` from threads of its own.

    Each viewer gets the newest picture when the one before has arrived: slow ones see fewer, and nobody waits for them.
    Only requests to the address itself or to ``localhost`` are answered, so that no page of another site reads the
    pictures by a name of its own for this address.

    Args:
        host, port: to listen at; port 0: a free one.

    Attributes:
        url: of the page.

    Raises:
        OSError: the address cannot be had.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0):
        self._changed = threading.Condition()
        self._jpeg, self._number, self._closed, self._viewers = b"", 0, False, 0
        self._picture: np.ndarray | None = None
        self._names = {host, "localhost"}
        page = self

        class Handler(_Handler):
            live = page

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except (OSError, OverflowError) as error:
            raise OSError(f"the page cannot be had at {host}:{port}: {error}; choose --host, --port or 0") from error
        self._server.daemon_threads = True
        self.url = f"http://{host}:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="page", daemon=True)
        self._thread.start()

    def show(self, picture: np.ndarray) -> bool:
        """The newest picture (H, W, 3); packed only where somebody looks. True: go on."""
        with self._changed:
            self._picture = picture
            wanted = self._viewers > 0
        if wanted:
            self._pack()
        return True

    def _pack(self) -> None:
        with self._changed:
            picture = self._picture
        if picture is None:
            return
        packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
        with self._changed:
            if picture is self._picture:  # else a newer one is on its way
                self._jpeg, self._number = packed, self._number + 1
                self._changed.notify_all()

    def close(self) -> None:
        """End all streams and free the address."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(2.0)

    def allows(self, host: str | None) -> bool:
        """A request's Host says this address."""
        try:
            return urlsplit(f"//{host}").hostname in self._names
        except ValueError:
            return False

    def enter(self) -> bool:
        """One more viewer; False: too many."""
        with self._changed:
            if self._viewers >= _MOST_VIEWERS:
                return False
            self._viewers += 1
            first = self._viewers == 1
        if first:  # what was packed last is as old as the last viewer
            self._pack()
        return True

    def leave(self) -> None:
        with self._changed:
            self._viewers -= 1

    def after(self, number: int) -> tuple[int, bytes]:
        """The newest JPEG behind the one of this number, and its number; empty: at the end, or none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number > number, _PATIENCE)
            fresh = self._number > number and not self._closed
            return self._number, self._jpeg if fresh else b""


class _Handler(BaseHTTPRequestHandler):
    live: LivePage
    timeout = _PATIENCE

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not self.live.allows(self.headers.get("Host")):
            self.send_error(HTTPStatus.FORBIDDEN)
        elif path == "/":
            self._send("text/html; charset=utf-8", _PAGE)
        elif path in ("/stream.mjpg", "/newest.jpg"):
            self._pictures(stream=path == "/stream.mjpg")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _pictures(self, stream: bool) -> None:
        if not self.live.enter():
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "too many viewers")
            return
        try:
            if not stream:
                number, jpeg = self.live.after(0)
                self._send("image/jpeg", jpeg) if jpeg else self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
                return
            self._head(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            number = 0
            while True:
                number, jpeg = self.live.after(number)
                if not jpeg:
                    return
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        except OSError:  # the viewer is gone, or too slow
            self.close_connection = True
        finally:
            self.live.leave()

    def _head(self, kind: str, length: int | None = None) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send(self, kind: str, content: bytes) -> None:
        self._head(kind, len(content))
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass
