#!/bin/sh
# Prepare the environment, then run a command in it.
#
#   sh requirements.sh                           install only
#   sh requirements.sh python demo/run.py        install if needed, then run the demo
#   sh requirements.sh --with-app [command]      the same, with what demo/app.py needs: the demo as a page of a browser
#   sh requirements.sh --with-detector [command] the same, with MediaPipe, which finds poses in photos and videos
#   sh requirements.sh --with-rtmpose [command]  the same, with rtmlib, which finds everybody in them (models: lib/poses/README.md)
#   sh requirements.sh --with-onnx [command]     the same, with what main/export.py needs
#   sh requirements.sh --with-tensorboard [command]  the same, with what TRAIN.tensorboard needs
#
# Uses the active virtual or conda environment (not conda's base), else .venv in the project (made on the first call). Python 3.10 to 3.13.
# POSE2MESH_PYTHON names the interpreter to make .venv with; POSE2MESH_VENV another place for it.
set -eu

root=$(cd "$(dirname "$0")" && pwd)
say() { printf '%s\n' "$*" >&2; }
supported() { "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

extras=
while [ $# -gt 0 ]; do
    case $1 in
        --with-app | --with-detector | --with-onnx | --with-rtmpose | --with-tensorboard) extras="$extras ${1#--with-}" ;;
        -*)
            say "error: unknown option $1; expected --with-app, --with-detector, --with-onnx, --with-rtmpose or --with-tensorboard, then a command"
            exit 2
            ;;
        *) break ;;
    esac
    shift
done

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
    say "note: no EGL library found; pictures are drawn by NumPy, which is slow for videos. For fast ones install EGL" \
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

# A stamp per file makes a second call cheap: it holds what was installed.
install() {
    say "Installing the packages of $1 into $environment"
    file=$1
    shift
    python -m pip install --quiet --disable-pip-version-check "$@" -r "$root/$file" >&2
}

stamp=$environment/.pose2mesh-installed
write_stamp() {
    cp "$root/$1" "$2.tmp"
    mv "$2.tmp" "$2"
}

if ! cmp -s "$root/requirements.txt" "$stamp"; then
    install requirements.txt
    install_system_libraries
    write_stamp requirements.txt "$stamp"
fi

case $extras in
    *detector*)
        if ! python -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then
            say "error: MediaPipe 0.10.14 exists for Python 3.10 to 3.12, $environment has $(python --version); make another" \
                "environment: POSE2MESH_PYTHON=python3.12 POSE2MESH_VENV=.venv312 sh requirements.sh --with-detector"
            exit 2
        fi
        # an onnx that was already there may need a newer protobuf than MediaPipe
        if python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("onnx") is None)'; then
            extras="$extras onnx"
        fi
        ;;
esac
for extra in $extras; do
    file=requirements-$extra.txt
    if ! cmp -s "$root/$file" "$stamp-$extra"; then
        # these files list all that is needed; what their packages ask for beyond it does not fit together
        install "$file" --no-deps
        write_stamp "$file" "$stamp-$extra"
    fi
done

[ $# -eq 0 ] || exec "$@"
