#!/bin/bash
# keeper.sh run NAME STATE    makes the control groups, starts pid1.sh in namespaces of its own, waits for its end, and
#                             removes the control groups, which outlive every process
# keeper.sh sweep NAME        removes what an earlier keeper could not
set -uo pipefail
mode=$1 group=awp-$2 state=${3:-}
root=/sys/fs/cgroup
# A busy machine shares its processors out by group. All containers of a cluster are one group, and would together get
# as much as one of its components or one of the test processes beside it: a worker would take half a minute to start.
weight=4 # times the weight of such a process

make_groups() {
  if [ -f $root/cgroup.controllers ]; then # version 2
    mkdir -p "$root/$group" || return 1
    for controller in cpu cpuset memory pids io hugetlb; do
      echo "+$controller" > $root/cgroup.subtree_control
      echo "+$controller" > "$root/$group/cgroup.subtree_control"
    done 2> /dev/null
    echo $((weight * 100)) > "$root/$group/cpu.weight" 2> /dev/null
    return 0
  fi
  local mounted
  mounted=$(awk '$3 == "cgroup" { print $2 }' /proc/mounts)
  for hierarchy in $mounted; do
    mkdir -p "$hierarchy/$group" || return 1
    [ -f "$hierarchy/$group/cpu.shares" ] && echo $((weight * 1024)) > "$hierarchy/$group/cpu.shares"
    [ -f "$hierarchy/cpuset.cpus" ] || continue
    for file in cpuset.cpus cpuset.mems; do cat "$hierarchy/$file" > "$hierarchy/$group/$file"; done
  done
}

sweep() {
  local left
  for _ in $(seq 100); do
    left=0
    for dir in "$root/$group" "$root"/*/"$group"; do
      [ -d "$dir" ] || continue
      find "$dir" -depth -type d -exec rmdir {} + 2> /dev/null
      [ -d "$dir" ] && left=1
    done
    [ $left = 0 ] && return 0
    sleep 0.05
  done
  return 1
}

if [ "$mode" = sweep ]; then
  sweep
  exit
fi

trap : HUP INT TERM # what ends the terminal or the session that started the cluster does not end the cluster
make_groups || exit 1
unshare --net --mount --pid --ipc --uts --fork --mount-proc --kill-child=SIGKILL \
  bash "$(dirname "$0")/pid1.sh" < /dev/null >> "$state/logs/pid1.log" 2>&1 &
guarded=$!
# "up" says "keep" when the cluster is complete. If it ends without that word, so does the cluster.
while :; do
  read -t 0.2 -r word
  [ $? -le 128 ] && break # not a time-out: a word, or the end of the pipe
  kill -0 $guarded 2> /dev/null || break
done
[ "${word:-}" = keep ] || kill -KILL $guarded 2> /dev/null
while kill -0 $guarded 2> /dev/null; do wait $guarded; done
sweep
