#!/bin/sh
# Remove what install.sh put there. The configuration and the data stay.
set -eu
prefix=${PREFIX:-/opt/sensorlogd}
root=${DESTDIR:-}
if [ -z "$root" ]; then
    [ "$(id -u)" -eq 0 ] || { echo 'uninstall-service: must be root' >&2; exit 1; }
    systemctl disable --now sensorlogd.service || true
    rm -f /usr/local/bin/sensorlogd
fi
if [ -x "$root$prefix/bin/sensorlogd" ]; then rm -rf "$root$prefix"; fi
rm -f "$root/usr/lib/sysusers.d/sensorlogd.conf" "$root/usr/lib/tmpfiles.d/sensorlogd.conf" \
      "$root/usr/lib/udev/rules.d/70-sensorlogd.rules" "$root/usr/lib/systemd/system/sensorlogd.service"
[ -n "$root" ] || systemctl daemon-reload
echo 'removed; /etc/sensorlogd and /var/lib/sensorlogd are left as they are'
