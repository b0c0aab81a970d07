#!/bin/sh
# Builds .venv: `sh deploy/setup.sh [test]`. A second run finds its stamp and does nothing, without any network.
set -eu
cd "$(dirname "$0")/.."
extras=dev
[ "${1:-}" = test ] && extras=dev,test

find_python() {
    for name in ${PYTHON:-} python3.12 python3.13 python3.11 python3; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "setup: no Python 3.11, 3.12 or 3.13 found. Install one (Debian: apt-get install python3 python3-venv)," >&2
    echo "setup: or name it: make PYTHON=/path/to/python3.12 $extras" >&2
    exit 2
}

stamp=".venv/.ready-$extras"
wanted="$(cat pyproject.toml deploy/constraints.txt deploy/setup.sh | cksum) $(pwd)"
fetch_kafka() {  # says nothing where every jar is there already
    .venv/bin/python -c "from streams.devstack.kafka_node import prepare; prepare(print)"
}
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    fetch_kafka
    exit
fi
python=$(find_python)
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "setup: $python has no venv module. Install it (Debian: apt-get install python3-venv), then run make again." >&2
        exit 2
    fi
    "$python" -m venv --clear .venv
fi
echo "setup: installing Python packages into .venv (once)"
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --constraint deploy/constraints.txt --editable ".[$extras]"; then
    echo "setup: pip could not install the packages; its words are above. Is the package index reachable?" >&2
    exit 2
fi
fetch_kafka
echo "$wanted" > "$stamp"
