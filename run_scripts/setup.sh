# Sets up what is missing, goes to the checkout and leaves LAVIS_PYTHON set. Source it: . run_scripts/setup.sh
# PYTHON, if set, names an interpreter that has this package's requirements; nothing is installed then.
set -eu

LAVIS_HOME=$(cd "$(dirname "$0")" && while [ ! -f setup.py ]; do [ "$PWD" != / ] || exit 1; cd ..; done && pwd)
cd "$LAVIS_HOME"

lavis_digest() { # of what an environment was installed from
    cat requirements.txt setup.py | cksum | tr ' ' '-'
}

if [ -n "${PYTHON:-}" ]; then
    LAVIS_PYTHON=$PYTHON
    "$LAVIS_PYTHON" -c 'import lavis, omegaconf, torch' || {
        echo "PYTHON=$PYTHON does not import lavis, omegaconf and torch: install requirements.txt and this folder there, or unset PYTHON." >&2
        exit 1
    }
else
    LAVIS_PYTHON=$LAVIS_HOME/.venv/bin/python
    if [ ! -f .venv/installed ] || [ "$(cat .venv/installed)" != "$(lavis_digest)" ]; then
        base=
        for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
            if command -v "$candidate" >/dev/null 2>&1 &&
                "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
                base=$candidate
                break
            fi
        done
        [ -n "$base" ] || { echo "Python 3.10 or newer with venv is needed; name one with PYTHON=…" >&2; exit 1; }
        echo "Setting up .venv with $("$base" --version)" >&2
        [ -x .venv/bin/python ] || "$base" -m venv .venv
        "$LAVIS_PYTHON" -m pip install --quiet --disable-pip-version-check -r requirements.txt
        "$LAVIS_PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --editable .
        lavis_digest >.venv/installed
    fi
fi
