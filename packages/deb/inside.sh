#!/bin/sh
# Runs inside the container; /mnt has the package (first.deb) and a newer one (second.deb).
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
config=/etc/sensorlogd/sensorlogd.yaml
log=/var/lib/sensorlogd/sensorlogd.db
fail() {
    echo "FAILED: $*" >&2
    systemctl status --no-pager --lines=20 sensorlogd >&2 || true
    exit 1
}
readings() { sqlite3 "file:$log?mode=ro" "SELECT coalesce(max(ts), 0) FROM latest" 2>/dev/null || echo 0; }
more_than() { # more_than STAMP: a reading that is newer arrives
    for _ in $(seq 300); do
        [ "$(readings)" -le "$1" ] || return 0
        sleep 0.1
    done
    fail "no reading after $1"
}
step() { echo "  $*"; }

step 'installed'
dpkg -i /mnt/first.deb >/tmp/first.log 2>&1 || { cat /tmp/first.log; fail 'dpkg -i'; }
grep -q 'does not run yet' /tmp/first.log || fail 'the first installation does not say what to do'
[ "$(systemctl is-active sensorlogd)" = inactive ] || fail 'it was started without being asked to'
id -nG sensorlogd | grep -qw dialout || fail 'the user is not in the group of the serial ports'
[ "$(stat -c '%U:%G %a' $config)" = 'root:sensorlogd 640' ] || fail "configuration: $(stat -c '%U:%G %a' $config)"
[ "$(stat -c '%U:%G %a' /var/lib/sensorlogd)" = 'sensorlogd:sensorlogd 750' ] || fail 'the data folder'
[ -s /usr/share/doc/sensorlogd/bundled.txt ] && grep -q '^SQLAlchemy .*MIT' /usr/share/doc/sensorlogd/bundled.txt || fail 'bundled.txt'
grep -rqI 'build/deb' /usr/lib/sensorlogd --include=pyvenv.cfg --include=RECORD --include=sensorlogd && fail 'names the place where it was built'
sensorlogd version
sensorlogd check $config >/dev/null || fail 'check of the starter'

step 'started'
systemctl enable --now sensorlogd 2>/dev/null || fail 'the service does not start'
more_than 0
systemctl reload sensorlogd || fail 'reload'
sensorlogd latest >/dev/null || fail 'latest'

step 'upgraded, with a configuration that its owner has changed'
sed -i 's/^  timezone: UTC/  timezone: Europe\/Berlin/' $config
grep -q Berlin $config || fail 'the starter has no line for the zone'
before=$(systemctl show --property MainPID --value sensorlogd)
last=$(readings)
dpkg --force-confdef --force-confold -i /mnt/second.deb >/tmp/second.log 2>&1 </dev/null || { cat /tmp/second.log; fail 'upgrade'; }
grep -q Berlin $config || fail 'the configuration was overwritten'
[ -e $config.dpkg-dist ] || fail 'the newer starter is not beside it'
[ "$(systemctl is-active sensorlogd)" = active ] || fail 'it does not run after the upgrade'
[ "$(systemctl show --property MainPID --value sensorlogd)" != "$before" ] || fail 'the old daemon still runs'
more_than "$last"

step 'removed: the configuration and the log stay'
dpkg -r sensorlogd >/tmp/remove.log 2>&1 || { cat /tmp/remove.log; fail 'dpkg -r'; }
[ "$(systemctl is-active sensorlogd || true)" != active ] || fail 'it still runs'
[ ! -e /usr/lib/sensorlogd ] || fail 'something is left of the program'
[ -e $config ] && [ -e $log ] || fail 'removed more than the program'

step 'purged: the configuration goes, the log stays, and it says so'
dpkg -P sensorlogd >/tmp/purge.log 2>&1 || { cat /tmp/purge.log; fail 'dpkg -P'; }
[ ! -e $config ] || fail 'the configuration is still there'
[ "$(sqlite3 $log 'PRAGMA quick_check')" = ok ] || fail 'the log is damaged or gone'
grep -q '/var/lib/sensorlogd is kept' /tmp/purge.log || fail 'purge does not say that the log stays'
for left in /usr/share/doc/sensorlogd /usr/bin/sensorlogd /usr/lib/systemd/system/sensorlogd.service \
            /usr/lib/udev/rules.d/70-sensorlogd.rules /etc/systemd/system/multi-user.target.wants/sensorlogd.service; do
    [ ! -e "$left" ] && [ ! -L "$left" ] || fail "left behind: $left"
done
