#!/bin/sh
# Install sensorlogd as a systemd service. Called by `make install-service`; see docs/install.md.
#   PREFIX    where the program goes (/opt/sensorlogd)
#   EXTRAS    optional parts, e.g. mbus,units
#   DESTDIR   a staging folder for packages; then nothing of the running system is touched
# Starts nothing and never overwrites a configuration.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$here")
prefix=${PREFIX:-/opt/sensorlogd}
root=${DESTDIR:-}

if [ -z "$root" ] && [ "$(id -u)" -ne 0 ]; then
    echo 'install-service: must be root (or set DESTDIR to stage a package)' >&2
    exit 1
fi
say() { echo "install-service: $*"; }

say "program -> $root$prefix"
mkdir -p "$root$prefix"
"${PYTHON:-python3}" -m venv "$root$prefix"
# Not editable: the service must not depend on this checkout.
"$root$prefix/bin/python" -m pip install --quiet --disable-pip-version-check --constraint "$source/constraints.txt" "$source${EXTRAS:+[$EXTRAS]}"
if [ -n "$root" ]; then
    # The scripts of a staged venv name the staging folder: let them name the final place.
    for script in "$root$prefix"/bin/*; do
        if [ -f "$script" ] && head -n 1 "$script" | grep -q "^#!$root"; then
            sed -i "1s|^#!$root|#!|" "$script"
        fi
    done
fi
mkdir -p "$root$prefix/share/doc"
cp -R "$source/docs/." "$root$prefix/share/doc/"

put() { # put SOURCE TARGET MODE
    mkdir -p "$(dirname "$root$2")"
    install -m "$3" "$here/$1" "$root$2"
    say "$2"
}
put sensorlogd.sysusers.conf /usr/lib/sysusers.d/sensorlogd.conf 644
put sensorlogd.tmpfiles.conf /usr/lib/tmpfiles.d/sensorlogd.conf 644
put 70-sensorlogd.rules /usr/lib/udev/rules.d/70-sensorlogd.rules 644
put sensorlogd.service /usr/lib/systemd/system/sensorlogd.service 644
sed -i "s|/opt/sensorlogd|$prefix|g" "$root/usr/lib/systemd/system/sensorlogd.service"

config=/etc/sensorlogd/sensorlogd.yaml
mkdir -p "$root/etc/sensorlogd"
if [ -e "$root$config" ]; then
    say "$config exists and is left as it is"
else
    sed 's|data_dir: ../run .*|data_dir: /var/lib/sensorlogd|' "$source/config/starter.yaml" > "$root$config"
    chmod 640 "$root$config"
    say "$config (simulated sensors: replace them by yours)"
fi

if [ -z "$root" ]; then
    mkdir -p /usr/local/bin
    ln -sf "$prefix/bin/sensorlogd" /usr/local/bin/sensorlogd
    systemd-sysusers sensorlogd.conf
    systemd-tmpfiles --create sensorlogd.conf
    chgrp sensorlogd "$config"
    systemctl daemon-reload
    if command -v udevadm >/dev/null; then udevadm control --reload 2>/dev/null || true; fi
fi

cat <<TEXT

Next:
  sensorlogd ports                                   what is plugged in
  edit $config
  sensorlogd check $config
  systemctl enable --now sensorlogd                  start now and at every boot
  systemctl status sensorlogd; sensorlogd status     is everything well?
To read the log without sudo: usermod -aG sensorlogd YOU, then log in again.
TEXT
