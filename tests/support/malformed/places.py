"""Things that are no plain file in a file's place, and names that nobody gives files."""

import os
import random
import socket
from pathlib import Path


def displace(draw: random.Random, path: Path) -> str:
    """Put something else in the place of a file."""
    kind = draw.choice(
        ("gone", "folder", "fifo", "loop", "dangling", "/dev/zero", "/dev/null", "/proc/self/mem", "/dev/urandom",
        "sparse",
         "socket", "unreadable")
    )  # fmt: skip
    if kind == "sparse":
        with open(path, "r+b") as stream:
            stream.truncate(20 << 30)
        return kind
    if kind == "unreadable":  # root may read everything
        path.chmod(0)
        return kind
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(path.parent)  # the system takes no long paths here
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
        os.chdir(here)
    elif kind.startswith("/"):
        path.symlink_to(kind)
    return kind


NAMES = (
    "a\nb{}",
    "red\x1b[31m{}",
    "bell\x07{}",
    "-rf{}",
    " {}",
    "x" * 200 + "{}",
    "\u202eltr{}",
    "ü ñ{}",
    "a%s%d{{}}{}",
    "*?{}",
    "\udcff{}",
)


def rename(draw: random.Random, path: Path) -> Path:
    """Another name with the same ending."""
    ending = path.name[path.name.index(".") :] if "." in path.name else ""
    return path.rename(path.with_name(draw.choice(NAMES).format(ending)))
