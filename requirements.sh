#!/bin/sh
# Prepare the environment, then run a command in it.
#
#   sh requirements.sh                           install only
#   sh requirements.sh python demo/run.py        install if needed, then run the demo
#
# Uses the active virtual or conda environment (not conda's base), else .venv in the project (made on the first call). Python 3.10 to 3.13.
# POSE2MESH_PYTHON names the interpreter to make .venv with; POSE2MESH_VENV another place for it.
set -eu

root=$(cd "$(dirname "$0")" && pwd)
say() { printf '%s\n' "$*" >&2; }
supported() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

find_python() {
    for candidate in "${POSE2MESH_PYTHON:-python3}" python python3.13 python3.12 python3.11 python3.10; do
        if command -v "$candidate" >/dev/null 2>&1 && supported "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "error: no Python between 3.10 and 3.13 found; install one, or name it: POSE2MESH_PYTHON=/path/to/python"
    exit 2
}

make_environment() {
    if [ -d "$1" ] && [ ! -f "$1/pyvenv.cfg" ] && [ -n "$(ls -A "$1")" ]; then
        say "error: $1 holds files but is no virtual environment; name another folder in POSE2MESH_VENV"
        exit 2
    fi
    python=$(find_python)
    say "Making the virtual environment $1 with $("$python" --version)"
    if ! "$python" -m venv "$1"; then
        say "error: $python cannot make virtual environments (Debian: apt-get install python3-venv)"
        exit 2
    fi
}

# Libraries for rendering without a display: EGL and Mesa's software driver.
install_system_libraries() {
    python -c 'import ctypes; ctypes.CDLL("libEGL.so.1")' 2>/dev/null && return
    packages="libegl1 libgl1 libgl1-mesa-dri"
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        say "Installing $packages for headless rendering"
        if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages >&2; then
            return
        fi
    fi
    say "note: no EGL library found; pictures are drawn by matplotlib. For proper rendering install EGL" \
        "(Debian, Ubuntu: sudo apt-get install $packages)"
}

if [ -n "${VIRTUAL_ENV:-}" ] && [ -x "$VIRTUAL_ENV/bin/python" ]; then
    environment=$VIRTUAL_ENV
elif [ -n "${CONDA_PREFIX:-}" ] && [ "${CONDA_DEFAULT_ENV:-}" != base ] && [ -x "$CONDA_PREFIX/bin/python" ]; then
    environment=$CONDA_PREFIX
else
    environment=${POSE2MESH_VENV:-$root/.venv}
    # an environment without pip is what an interrupted call leaves
    "$environment/bin/python" -c "import pip" 2>/dev/null || make_environment "$environment"
fi
PATH=$environment/bin:$PATH
export PATH
if ! supported python; then
    say "error: $(python --version) in $environment is not supported; Python 3.10 to 3.13 is"
    exit 2
fi

# The stamp makes a second call cheap: it holds what was installed.
stamp=$environment/.pose2mesh-installed
if ! cmp -s "$root/requirements.txt" "$stamp"; then
    say "Installing the packages of requirements.txt into $environment"
    python -m pip install --quiet --disable-pip-version-check -r "$root/requirements.txt" >&2
    install_system_libraries
    cp "$root/requirements.txt" "$stamp.tmp"
    mv "$stamp.tmp" "$stamp"
fi

[ $# -eq 0 ] || exec "$@"
