#!/bin/sh
# Build dist/sensorlogd-VERSION.tar.gz and, from nothing but that, dist/sensorlogd-VERSION-py3-none-any.whl; then gather the
# wheels of the dependencies for this Python and machine in dist/wheels, from which `pip install --no-index` works without a network.
#   PYTHON   which Python the gathered wheels are for
#   EXTRAS   optional parts whose wheels are gathered, too, e.g. mbus,units
# Called by `make wheel`, which has built the page and the manual before.
set -eu
cd "$(dirname "$0")/.."
[ -e sensorlogd/web/static/app.js ] || { echo 'make wheel: the dashboard is not built (apt-get install npm); a package without it would serve an empty page' >&2; exit 1; }

tools=build/tools
if [ ! -e "$tools/.ready" ]; then
    "${PYTHON:-python3}" -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check 'build>=1' 'setuptools>=77' wheel
    touch "$tools/.ready"
fi
rm -rf dist build/lib build/bdist.* sensorlogd.egg-info
"$tools/bin/python" -m build --no-isolation --outdir dist . >build/log 2>&1 || { cat build/log >&2; exit 1; }
wheel=$(echo dist/sensorlogd-*.whl)
# pip itself, because pipx wants a new one of its own before it installs anything.
"$tools/bin/python" -m pip wheel --quiet --disable-pip-version-check --constraint constraints.txt --wheel-dir dist/wheels pip "$wheel${EXTRAS:+[$EXTRAS]}"
echo "$wheel" dist/sensorlogd-*.tar.gz "$(ls dist/wheels | wc -l) wheels in dist/wheels"
