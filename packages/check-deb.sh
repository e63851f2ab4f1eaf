#!/bin/sh
# Install, upgrade, remove and purge the Debian package in a container that runs systemd. Root; about a minute, and one more
# for making the container's Debian the first time. Skipped, with the reason, where that cannot be done.
#   CONTAINER   a folder with such a Debian, made here if it is not there (build/debian)
set -eu
cd "$(dirname "$0")/.."
skip() {
    echo "check-deb: not done: $*" >&2
    [ "${SENSORLOGD_TESTS_REQUIRE:-}" != 1 ] || exit 1
    exit 0
}
# What this machine cannot do is no fault of the package, nor a tool that somebody forgot to install.
cannot() {
    echo "check-deb: NOT DONE, this machine cannot: $*" >&2
    exit 0
}
[ "$(id -u)" -eq 0 ] || skip 'it needs to be root'
command -v systemd-nspawn >/dev/null || skip 'apt-get install systemd-container'
package=$(ls -t dist/sensorlogd_*.deb 2>/dev/null | head -n 1)
[ -n "$package" ] || skip 'there is no package: make deb'
release=$(. /etc/os-release; echo "$VERSION_CODENAME")
debian=${CONTAINER:-build/debian}
if [ ! -e "$debian/.done" ]; then
    include=systemd,systemd-sysv,dbus,udev,python3,procps,sqlite3
    if command -v mmdebstrap >/dev/null; then mmdebstrap --quiet --variant=minbase --include=$include "$release" "$debian" >&2 || { rm -rf "$debian"; cannot 'make a Debian in a folder (mmdebstrap failed)'; }
    elif command -v debootstrap >/dev/null; then debootstrap --variant=minbase --include=$include "$release" "$debian" >&2 || { rm -rf "$debian"; cannot 'make a Debian in a folder (debootstrap failed)'; }
    else skip 'apt-get install mmdebstrap'; fi
    : > "$debian/etc/machine-id"
    ln -sf /dev/null "$debian/etc/systemd/system/console-getty.service"
    touch "$debian/.done"
fi

work=$(mktemp -d)
mkdir "$work/share"
cp "$package" "$work/share/first.deb"
# The same with a higher version and a starter configuration that has changed: an upgrade asks about what its owner changed.
rm -rf "$work/next"
dpkg-deb --raw-extract "$package" "$work/next"
sed -i 's/^Version: .*/&.1/' "$work/next/DEBIAN/control"
echo '# a newer starter' >> "$work/next/etc/sensorlogd/sensorlogd.yaml"
dpkg-deb --root-owner-group -Zgzip --build "$work/next" "$work/share/second.deb" >/dev/null
cp packages/deb/inside.sh "$work/share/inside.sh"

name=sensorlogd-deb-$$
# A group of its own: else systemd-nspawn makes its groups beside everything else that runs here.
groups=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
mkdir -p "$groups/$name" 2>/dev/null || cannot "make a control group in $groups"
sh -c 'echo $$ > "$1/cgroup.procs"; shift; exec setsid "$@"' sh "$groups/$name" env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
    systemd-nspawn --quiet -D "$debian" --boot --register=no --keep-unit --volatile=overlay -M "$name" --private-network \
    --console=pipe --system-call-filter=bpf --bind-ro="$work/share:/mnt" </dev/null >"$work/console.log" 2>&1 &
container=$!
tidy() {
    kill -TERM "$container" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$container" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$container" 2>/dev/null || true
    find "$groups/$name" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    rm -rf "$work"
}
trap tidy EXIT
leader=''
for _ in $(seq 200); do
    leader=$(pgrep -P "$container" -x systemd || true)
    [ -z "$leader" ] || break
    kill -0 "$container" 2>/dev/null || { cat "$work/console.log" >&2; cannot 'start a container'; }
    sleep 0.1
done
[ -n "$leader" ] || { cat "$work/console.log" >&2; cannot 'start systemd in a container'; }
inside() { setsid -w nsenter -t "$leader" -a -- "$@"; }
for _ in $(seq 300); do
    case $(inside systemctl is-system-running 2>/dev/null || true) in running | degraded) break ;; esac
    sleep 0.1
done
inside sh -eu /mnt/inside.sh
echo "check-deb: $package can be installed, started, upgraded, removed and purged"
