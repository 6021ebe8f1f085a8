#!/bin/bash
# A Docker engine in pid, mount, ipc and uts namespaces of its own, and in the network namespace of whoever starts it,
# where it makes no bridge, no address and no rule. It ends, with its containers and mounts, when this process ends.
# Environment: DOCKERD (program), DATA (folder, kept), SOCKET, GROUP (control group of everything that runs in it).
set -euo pipefail
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p "$DATA"
# What builds leave for the next one is in DATA too: bounded, or every changed source adds to it for ever.
echo '{"builder": {"gc": {"enabled": true, "defaultKeepStorage": "2GB"}}}' >/run/daemon.json
exec "$DOCKERD" --config-file /run/daemon.json --host "unix://$SOCKET" --data-root "$DATA" \
  --exec-root /run/docker --pidfile /run/docker.pid --cgroup-parent "/$GROUP" --log-level warn \
  --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --userland-proxy=false
