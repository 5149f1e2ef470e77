#!/bin/sh
# Make .venv and install one set of pinned dependencies and the project into it.
#
#   scripts/install.sh PINS    PINS is a compiled requirements file, e.g. requirements/base.txt
#
# Does nothing, and needs no network, when .venv already holds what PINS asks for. Every file that
# is downloaded must be a wheel with one of the hashes in PINS. $PYTHON names the Python to use.
set -eu

pins=$1
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."
venv=.venv

die() {
    echo "error: $*" >&2
    exit 1
}

# A stamp says for which folder, Python and pins an environment was made: an environment does not
# survive a move, and a file's date says nothing about its content.
stamp=$venv/installed-$(echo "$pins" | tr / -)
wanted() {
    pwd
    "$venv/bin/python" -c 'import sys; print(sys.version)'
    cksum "$pins" pyproject.toml
}

if [ -x $venv/bin/python ] && [ -f "$stamp" ] && [ "$(wanted)" = "$(cat "$stamp")" ]; then
    exit 0
fi

if ! [ -f $venv/made ] || [ "$(cat $venv/made)" != "$PWD" ] || ! $venv/bin/python -c '' 2>/dev/null
then
    command -v "$python" >/dev/null ||
        die "there is no '$python' here; install Python 3.11 or newer, or say PYTHON=/path/to/python"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        die "'$python' is $("$python" -V 2>&1); Python 3.11 or newer is needed: say PYTHON=/path/to/python"
    echo "making $venv with $("$python" -V)" >&2
    rm -rf $venv
    "$python" -m venv $venv >/dev/null 2>&1 || {
        rm -rf $venv
        die "'$python -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv"
    }
    pwd >$venv/made
fi

echo "installing $pins (wheels only, hashes checked)" >&2
pip="$venv/bin/python -m pip --disable-pip-version-check --no-input --quiet --quiet"
$pip install --require-hashes --only-binary :all: -r "$pins" >&2 ||
    die "could not install $pins; is the package index reachable?"
# The build backend is among the pins, so this step downloads nothing.
$pip install --no-index --no-deps --no-build-isolation --editable . >&2 ||
    die "could not install the project itself into $venv"
wanted >"$stamp"
