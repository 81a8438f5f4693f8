#!/usr/bin/env bash
# One node that is a whole Slurm, for tests: munged, slurmctld and slurmd, started by hand, as root.
#
#   workflow/slurm/start.sh start DIR    everything of it lies in DIR, but the link /etc/slurm/slurm.conf
#   workflow/slurm/start.sh stop DIR
#   workflow/slurm/start.sh node DIR     slurmd alone, again after it was killed
#
# Jobs forget SLURM_CONF on their way through Snakemake, so the configuration must lie where Slurm looks by itself; a
# machine that has one there is left alone. It needs the packages slurm-wlm and munge (apt-get install --no-install-recommends slurm-wlm munge). There is no
# accounting database: states come from squeue and scontrol. Two partitions on the one node: main, and urgent, whose jobs
# preempt main's, which go back into the queue. CPUS=2 and MEMORY=4000 (MB) are what the node has to give.
set -euo pipefail

usage() { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
name=$(hostname -s)
place=${SLURM_PLACE:-/etc/slurm/slurm.conf}

configure() {
    mkdir -p "$dir"/{state,spool,log,munge}
    # munged trusts only folders that nobody else can write
    chmod 755 "$dir" "$dir/munge"
    [ -s "$dir/munge/key" ] || head -c 1024 /dev/urandom > "$dir/munge/key"
    chmod 400 "$dir/munge/key"
    cat > "$dir/slurm.conf" <<CONF
ClusterName=memloc
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=${CTLD_PORT:-16817}
SlurmdPort=${SLURMD_PORT:-16818}
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
OverTimeLimit=0
KillWait=5
SchedulerParameters=batch_sched_delay=1,sched_min_interval=500000
ReturnToService=2
SlurmdTimeout=${NODE_TIMEOUT:-30}
MinJobAge=600
MpiDefault=none
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
NodeName=$name NodeAddr=127.0.0.1 CPUs=${CPUS:-2} RealMemory=${MEMORY:-4000} State=UNKNOWN
PartitionName=main Nodes=$name Default=YES MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes=$name MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
CONF
}

node() {
    # started from here and not by a service manager: it must outlive this script
    setsid slurmd -f "$dir/slurm.conf" < /dev/null
}

running() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2> /dev/null; }

start() {
    for program in munged slurmctld slurmd; do
        command -v "$program" > /dev/null || { echo "start.sh: no $program: install slurm-wlm and munge" >&2; exit 3; }
    done
    if [ -e "$place" ] && [ "$(readlink "$place")" != "$dir/slurm.conf" ]; then
        echo "start.sh: this machine has a Slurm of its own, $place" >&2
        exit 3
    fi
    configure
    mkdir -p "$(dirname "$place")"
    ln -sfn "$dir/slurm.conf" "$place"
    running "$dir/munged.pid" || munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
        --pid-file="$dir/munged.pid" --log-file="$dir/log/munged.log" --seed-file="$dir/munge/seed"
    running "$dir/slurmctld.pid" || slurmctld -f "$dir/slurm.conf"
    running "$dir/slurmd.pid" || node
    for _ in $(seq 60); do
        if sinfo -h -o %t 2> /dev/null | grep -q '^idle'; then
            return
        fi
        sleep 0.5
    done
    echo "start.sh: the node is not idle after 30 s; see $dir/log" >&2
    stop
    exit 4
}

stop() {
    for program in slurmd slurmctld munged; do
        running "$dir/$program.pid" && kill "$(cat "$dir/$program.pid")"
    done
    [ "$(readlink "$place")" != "$dir/slurm.conf" ] || rm -f "$place"
    for _ in $(seq 40); do
        running "$dir/slurmd.pid" || running "$dir/slurmctld.pid" || return 0
        sleep 0.25
    done
}

case $command in
    start | stop | node) $command ;;
    *) usage ;;
esac
