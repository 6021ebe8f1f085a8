#!/bin/bash
# A Docker engine in pid, mount, ipc and uts namespaces of its own, and in the network namespace of whoever starts it,
# where it makes no bridge, no address and no rule. It ends, with its containers and mounts, when this process ends.
# Environment: DOCKERD (program), DATA (folder, kept), SOCKET, GROUP (control group of everything that runs in it).
set -euo pipefail
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p "$DATA"
exec "$DOCKERD" --host "unix://$SOCKET" --data-root "$DATA" --exec-root /run/docker --pidfile /run/docker.pid \
  --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --userland-proxy=false \
  --cgroup-parent "/$GROUP" --log-level warn
