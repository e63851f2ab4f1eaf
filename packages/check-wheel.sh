#!/bin/sh
# Install what `make wheel` built as somebody without a network would, and see that it works. PYTHON: which one.
set -eu
cd "$(dirname "$0")/.."
most_mb=60
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
fail() { echo "check-wheel: $*" >&2; exit 1; }
offline() { # offline VENV WHAT...
    venv=$1; shift
    "${PYTHON:-python3}" -m venv "$place/$venv"
    "$place/$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --find-links dist/wheels "$@"
}

offline venv sensorlogd
cp config/starter.yaml "$place/starter.yaml"
cd "$place" # not beside the sources
venv/bin/sensorlogd version
site=$(venv/bin/python -c 'import sensorlogd; print(sensorlogd.__path__[0] + "/..")')
for file in "$site/sensorlogd/web/static/index.html" "$site/sensorlogd/web/static/app.js" "$site/sensorlogd/web/static/askedearly.js" "$site/sensorlogd/profiles/dsmr-p1.yaml" \
            venv/share/man/man1/sensorlogd.1 venv/share/bash-completion/completions/sensorlogd \
            venv/share/zsh/site-functions/_sensorlogd venv/share/fish/vendor_completions.d/sensorlogd.fish; do
    [ -s "$file" ] || fail "not in the wheel: $file"
done
venv/bin/sensorlogd check starter.yaml >/dev/null || fail 'the installed program does not accept the starter configuration'
venv/bin/sensorlogd try greenhouse -c starter.yaml >/dev/null || fail 'the installed program reads no simulated sensor'
venv/bin/python -c 'import pandas' 2>/dev/null && fail 'the base brings pandas'
# What a fresh environment has of its own is not ours. Bytes of the files: how much more a disk needs depends on its blocks.
size=$(du -sm --apparent-size --exclude='pip*' --exclude='setuptools*' --exclude=pkg_resources --exclude=_distutils_hack "$site" | cut -f1)
echo "installed: $size MB of files (without pip and setuptools)"
[ "$size" -le "$most_mb" ] || fail "more than $most_mb MB"
