#!/usr/bin/env bash
# A SLURM cluster of one node on this machine, for the tests: no systemd, no cgroups, no accounting database.
#
#   one_node.sh up | down | restart-controller [seconds between] | cut-power | power-on
#
# `cut-power` kills the node's daemon and all jobs at once; what SLURM thinks of the node is for it to find out.
# The tests take it down when they end; after tests that were killed, do it by hand.
#
# Needs root, and munge, slurmctld, slurmd and slurm-client (Debian's names); with LAGBIAS_SLURM=install they
# are installed. It writes /etc/slurm, because job steps do not pass SLURM_CONF on, and leaves a
# configuration alone that it has not written. Everything else is below LAGBIAS_SLURM_HOME.
set -euo pipefail

home=${LAGBIAS_SLURM_HOME:-/var/lib/lagbias-slurm}
etc=/etc/slurm
mark="# written by tests/cluster/one_node.sh of lagbias"
node=$(hostname -s)
packages=(munge slurmctld slurmd slurm-client)

stop() {
  echo "one_node.sh: $*" >&2
  exit 1
}

refuse_others() {
  [[ $(id -u) == 0 ]] || stop "needs root."
  if [[ -e $etc/slurm.conf ]] && ! grep -qF "$mark" "$etc/slurm.conf"; then
    stop "$etc/slurm.conf belongs to another cluster; it is left alone."
  fi
}

install_packages() {
  command -v slurmctld slurmd munged sbatch >/dev/null && return
  [[ ${LAGBIAS_SLURM:-} == install ]] || stop "SLURM is missing: set LAGBIAS_SLURM=install, or install ${packages[*]}."
  local policy=/usr/sbin/policy-rc.d ours=
  # packages start no services of their own
  [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; ours=$policy; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >"$home/apt.log" 2>&1
  [[ -z $ours ]] || rm -f "$ours"
}

# Memory is what there is; CPUs are told, so that a job's request is what is tested and not the machine.
configure() {
  local memory=${LAGBIAS_SLURM_MEMORY:-}
  [[ -n $memory ]] || memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
  install -d "$etc" "$home"/{state,spool,log,run}
  cat >"$etc/slurm.conf" <<CONF
$mark
ClusterName=lagbias
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=17817
SlurmdPort=17818
SlurmUser=root
SlurmdUser=root
SlurmdParameters=config_overrides
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool
SlurmctldPidFile=$home/run/slurmctld.pid
SlurmdPidFile=$home/run/slurmd.pid
SlurmctldLogFile=$home/log/slurmctld.log
SlurmdLogFile=$home/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
# memory is watched, and a job that takes more than it asked for is killed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=1,bf_interval=2,sched_interval=2,sched_min_interval=0
ReturnToService=2
EnforcePartLimits=ALL
KillWait=5
# a job of a lost node is queued again after as many seconds
AuthInfo=cred_expire=15
MinJobAge=3600
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$home/log/jobs.txt
GresTypes=gpu
NodeName=$node NodeAddr=127.0.0.1 CPUs=${LAGBIAS_SLURM_CPUS:-4} RealMemory=$memory Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=$node Default=YES MaxTime=24:00:00 DefMemPerCPU=500 State=UP
# jobs of this partition preempt those of the other, which are queued again
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=urgent Nodes=$node PriorityTier=10 MaxTime=24:00:00 DefMemPerCPU=500 State=UP
CONF
  # a device that every machine has stands for the GPU: what a job asks for is tested, not what it gets
  echo "NodeName=$node Name=gpu File=/dev/null" >"$etc/gres.conf"
}

alive() {
  [[ -s $1 ]] && kill -0 "$(cat "$1")" 2>/dev/null
}

authenticate() {
  munge -n >/dev/null 2>&1 && return
  install -d -o munge -g munge -m 755 /run/munge
  [[ -s /etc/munge/munge.key ]] || dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 status=none
  chown munge:munge /etc/munge/munge.key
  chmod 400 /etc/munge/munge.key
  runuser -u munge -- munged
  cp /run/munge/munged.pid "$home/run/munged.pid"
}

wait_until_idle() {
  local _
  for _ in $(seq 150); do
    [[ $(sinfo --noheader --format=%t 2>/dev/null) == idle ]] && return
    # a node that was left down or drained
    scontrol update "nodename=$node" state=resume >/dev/null 2>&1 || true
    sleep 0.2
  done
  stop "the node is not idle after 30 s; see $home/log."
}

up() {
  mkdir -p "$home"
  install_packages
  configure
  authenticate
  alive "$home/run/slurmctld.pid" || slurmctld
  alive "$home/run/slurmd.pid" || slurmd -N "$node"
  wait_until_idle
}

end() {
  local pidfile=$home/run/$1.pid _
  alive "$pidfile" && kill "$(cat "$pidfile")"
  for _ in $(seq 100); do
    alive "$pidfile" || break
    sleep 0.1
  done
  rm -f "$pidfile"
}

# What runs for jobs: SLURM's daemons of single steps, and all that has a job's environment.
processes_of_jobs() {
  pgrep -x slurmstepd || true
  grep -lzs '^SLURM_CLUSTER_NAME=lagbias$' /proc/[0-9]*/environ | cut -d / -f 3 || true
}

cut_power() {
  local found _
  alive "$home/run/slurmd.pid" && kill -KILL "$(cat "$home/run/slurmd.pid")"
  rm -f "$home/run/slurmd.pid"
  # again, because some may just have been starting others
  for _ in $(seq 20); do
    found=$(processes_of_jobs)
    [[ -n $found ]] || break
    xargs kill -KILL <<<"$found" 2>/dev/null || true
    sleep 0.1
  done
}

down() {
  local daemon
  cut_power
  for daemon in slurmctld munged; do end "$daemon"; done
  rm -f "$etc/slurm.conf" "$etc/gres.conf"
  rm -rf "$home"/{state,spool}
}

refuse_others
case ${1:-} in
  up) up ;;
  down) down ;;
  restart-controller) end slurmctld; sleep "${2:-0}"; slurmctld ;;
  cut-power) cut_power ;;
  power-on) slurmd -N "$node" ;;
  *) stop "usage: one_node.sh up | down | restart-controller [seconds between] | cut-power | power-on" ;;
esac
