#!/bin/bash
# First process of a cluster's own pid, mount, network, ipc and uts namespaces. What it sets up is seen by the cluster
# alone and goes when this process goes. Environment: STATE (folder), PAUSE (program), and addresses of network.ts.
set -euo pipefail

mount --make-rshared / # shared among the cluster's own processes only: unshare made the copy private before
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$STATE/varlib" /var/lib
mount --bind "$STATE/varlog" /var/log
mount -t tmpfs -o size=1g tmpfs "$STATE/etcd"
mkdir -p "$RUNTIME_DIR/cni" /run/sysctl

# The kubelet exits if it cannot set these to its liking. It is shown files that say so; the machine keeps its own.
pretend() {
  echo "$2" > "/run/sysctl/$1"
  mount --bind "/run/sysctl/$1" "/proc/sys/${1//.//}"
}
pretend vm.overcommit_memory 1
pretend vm.panic_on_oom 0
pretend kernel.panic 10
pretend kernel.panic_on_oops 1
pretend kernel.keys.root_maxkeys 1000000
pretend kernel.keys.root_maxbytes 25000000

echo "$NODE_NAME" > /proc/sys/kernel/hostname
echo 1 > /proc/sys/net/ipv4/ip_forward # of this network namespace
ip link set lo up
ip link add awp0 type veth peer name awp1
ip addr add "$NODE_ADDRESS/24" dev awp0
ip link set awp0 up
ip link set awp1 up
# Without a route the node itself gets ENETUNREACH for a service: kube-proxy's rules come after the look-up.
ip route add "$SERVICE_CIDR" dev awp0 src "$NODE_ADDRESS"
# Made here, since the bridge plugin can race with itself over the address, and a pod that failed waits 13 s.
ip link add cni0 type bridge
ip link set cni0 address 0a:58:0a:f4:00:01 up
ip addr add "$POD_GATEWAY/24" dev cni0

touch "$STATE/run/namespaces-ready"
exec "$PAUSE" # waits, and reaps what containers and their shims orphan
