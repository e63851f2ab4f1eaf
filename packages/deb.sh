#!/bin/sh
# Build dist/sensorlogd_VERSION_ARCH.deb for the Debian release that this machine runs.
#
# What is in it: the program and the Python packages it needs, in a private environment under /usr/lib/sensorlogd, made with
# Debian's Python. They are carried along because Debian's own packages of them are older or newer than what was tested; the
# file bundled.txt names each with version and licence. They are not updated by Debian: a new package of sensorlogd does that.
#   EXTRAS   optional parts that go into it, too (mbus,units,regex,prometheus)
set -eu
cd "$(dirname "$0")/.."
[ -e sensorlogd/web/static/app.js ] || { echo 'make deb: the dashboard is not built (apt-get install npm)' >&2; exit 1; }
python=/usr/bin/python3
for need in dpkg-deb $python; do command -v "$need" >/dev/null || { echo "make deb: needs $need" >&2; exit 1; }; done
series=$($python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
next=$($python -c 'import sys; print("%d.%d" % (sys.version_info[0], sys.version_info[1] + 1))')
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' sensorlogd/__init__.py)
revision=${REVISION:-1}
arch=$(dpkg --print-architecture)

stage=build/deb
home=/usr/lib/sensorlogd
rm -rf "$stage"
mkdir -p "$stage/DEBIAN" "$stage/usr/bin" dist
$python -m venv --without-pip "$stage$home"
# pip for this build only; it works on the environment from outside.
tools=build/tools-deb
if [ ! -e "$tools/.ready" ]; then
    $python -m venv "$tools" || { echo 'make deb: apt-get install python3-venv' >&2; exit 1; }
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=23'
    touch "$tools/.ready"
fi
"$tools/bin/python" -m pip --python "$stage$home/bin/python" install --quiet --disable-pip-version-check --no-compile \
    --constraint constraints.txt ".${EXTRAS:+[$EXTRAS]}"
# The environment names the staging folder in its scripts and notes: let them name the final place.
absolute=$(cd "$stage" && pwd)
rm -f "$stage$home"/bin/[Aa]ctivate*
for script in "$stage$home"/bin/* "$stage$home/pyvenv.cfg"; do
    if [ -f "$script" ] && [ ! -L "$script" ]; then sed -i "s|$absolute||g" "$script"; fi
done
find "$stage" -name __pycache__ -prune -exec rm -rf {} +
find "$stage" -name direct_url.json -delete # says where it was built
ln -s "$home/bin/sensorlogd" "$stage/usr/bin/sensorlogd"
site=$(echo "$stage$home"/lib/python*/site-packages)

put() { install -D -m 644 "$1" "$stage$2"; }
mv "$stage$home/share" "$stage/usr/share"
gzip -9nf "$stage/usr/share/man/man1/sensorlogd.1"
mkdir -p "$stage/usr/share/zsh/vendor-completions"
mv "$stage"/usr/share/zsh/site-functions/_sensorlogd "$stage/usr/share/zsh/vendor-completions/" && rmdir "$stage/usr/share/zsh/site-functions"
put systemd/sensorlogd.sysusers.conf /usr/lib/sysusers.d/sensorlogd.conf
put systemd/sensorlogd.tmpfiles.conf /usr/lib/tmpfiles.d/sensorlogd.conf
put systemd/70-sensorlogd.rules /usr/lib/udev/rules.d/70-sensorlogd.rules
put systemd/sensorlogd.service /usr/lib/systemd/system/sensorlogd.service
sed -i -e 's|/opt/sensorlogd/share/doc|/usr/share/doc/sensorlogd|g' -e "s|/opt/sensorlogd|$home|g" "$stage/usr/lib/systemd/system/sensorlogd.service"
doc="$stage/usr/share/doc/sensorlogd"
mkdir -p "$doc" "$stage/etc/sensorlogd"
cp -R docs/. "$doc/"
cp LICENSE "$doc/copyright"
$python packages/bundled.py "$site" > "$doc/bundled.txt"
printf '\nThis package carries other packages, under licences of their own (their texts are in their folders under %s):\n\n' "$home" >> "$doc/copyright"
cat "$doc/bundled.txt" >> "$doc/copyright"
gzip -9nc CHANGELOG.md > "$doc/changelog.gz"
sed 's|data_dir: ../run .*|data_dir: /var/lib/sensorlogd|' config/starter.yaml > "$stage/etc/sensorlogd/sensorlogd.yaml"
chmod 640 "$stage/etc/sensorlogd/sensorlogd.yaml"
echo /etc/sensorlogd/sensorlogd.yaml > "$stage/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 755 "packages/deb/$script" "$stage/DEBIAN/$script"; done

size=$(du -sk --exclude=DEBIAN "$stage" | cut -f1)
cat > "$stage/DEBIAN/control" <<CONTROL
Package: sensorlogd
Version: $version-$revision
Section: science
Priority: optional
Architecture: $arch
Maintainer: ${MAINTAINER:-$(id -un) <$(id -un)@$(hostname)>}
Depends: python3 (>= $series), python3 (<< $next), systemd
Recommends: udev
Suggests: python3-pip
Installed-Size: $size
Description: sensor data logger: serial and simulated sensors into SQLite
 Reads sensors that YAML describes, checks and flags every reading, keeps exact
 roll-ups, serves a dashboard; made for machines that nobody looks after.
 .
 The Python packages it needs are bundled in a private environment; see
 /usr/share/doc/sensorlogd/bundled.txt for their versions and licences.
CONTROL
dpkg-deb --root-owner-group -Zxz --build "$stage" "dist/sensorlogd_$version-${revision}_$arch.deb" >/dev/null
ls -sh "dist/sensorlogd_$version-${revision}_$arch.deb"
