#!/usr/bin/env bash
# A real Slurm cluster of one node with two pretend GPUs, for tests: cluster.sh start|stop|status
#
# All of it lies in one folder, but for a link by which jobs find the configuration (the variable
# SLURM_CONF does not reach them: Snakemake's plugin removes it). A machine that has a configuration
# of its own is left alone.
#
# Needs Debian's or Ubuntu's packages munge, slurmctld, slurmd and slurm-client, and to be root,
# who installs them where they are missing. `start` is repeatable; `stop` ends only what `start`
# has started.
set -euo pipefail

HOME_DIR=/run/minimascope-slurm
LINK=/etc/slurm/slurm.conf
CPUS=${CLUSTER_CPUS:-8} # pretended, as is the memory: more jobs at once than the machine has cores
GPUS=${CLUSTER_GPUS:-2}
MEMORY_MB=${CLUSTER_MEMORY_MB:-200000}
NODE=$(hostname -s)
export SLURM_CONF=$HOME_DIR/slurm.conf

fail() {
    echo "cluster.sh: $*" >&2
    exit 1
}

is_ours() {
    [ "$(readlink $LINK)" = "$SLURM_CONF" ]
}

install_packages() {
    local missing=() package
    for package in munge slurmctld slurmd slurm-client; do
        dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null |
            grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local log=$HOME_DIR/apt.log
    # RUNLEVEL=1 keeps the packages from starting services of their own.
    { apt-get update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes \
        --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1 ||
        fail "cannot install ${missing[*]}: $(tail -n 1 "$log")"
}

# GPUs must be character devices, each another one, or jobs get no CUDA_VISIBLE_DEVICES. These are
# copies of the null device, and nothing opens them.
make_devices() {
    local gpu
    for gpu in $(seq 0 $((GPUS - 1))); do
        [ -c "$HOME_DIR/gpu$gpu" ] || mknod "$HOME_DIR/gpu$gpu" c 1 3 || fail "mknod is refused"
    done
}

write_configuration() {
    cat >$HOME_DIR/gres.conf <<CONF
AutoDetect=off
NodeName=$NODE Name=gpu Type=pretend File=$HOME_DIR/gpu[0-$((GPUS - 1))] Flags=nvidia_gpu_env
CONF
    # Without accounting, as many small clusters are. GPU jobs have a partition of their own: in
    # one for all, jobs that need no GPU would queue behind those that wait for one.
    cat >"$SLURM_CONF" <<CONF
ClusterName=minimascope
SlurmctldHost=$NODE(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$HOME_DIR/munge.socket,cred_expire=15
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile=$HOME_DIR/slurmctld.pid
SlurmdPidFile=$HOME_DIR/slurmd.pid
StateSaveLocation=$HOME_DIR/state
SlurmdSpoolDir=$HOME_DIR/spool
SlurmctldLogFile=$HOME_DIR/slurmctld.log
SlurmdLogFile=$HOME_DIR/slurmd.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
MinJobAge=3600
KillWait=5
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
NodeName=$NODE NodeAddr=127.0.0.1 CPUs=$CPUS RealMemory=$MEMORY_MB Gres=gpu:pretend:$GPUS
PartitionName=gpu Nodes=$NODE MaxTime=7-0
PartitionName=cpu Nodes=$NODE MaxTime=7-0 Default=YES
CONF
}

# Prints the process that a pid file of ours names, if that is still the program that it was.
running() {
    local pid
    pid=$(cat "$HOME_DIR/$1.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] &&
        ! grep -q '^State:\sZ' "/proc/$pid/status" && echo "$pid"
}

start_daemons() {
    [ -s $HOME_DIR/munge.key ] || (umask 077 && head -c 1024 /dev/urandom >$HOME_DIR/munge.key)
    running munged >/dev/null || munged --force --key-file=$HOME_DIR/munge.key \
        --socket=$HOME_DIR/munge.socket --pid-file=$HOME_DIR/munged.pid \
        --log-file=$HOME_DIR/munged.log --seed-file=$HOME_DIR/munged.seed
    running slurmctld >/dev/null || slurmctld
    running slurmd >/dev/null || slurmd
}

# A node is of use once a job has run on it.
wait_until_ready() {
    local try
    for try in $(seq 30); do
        timeout 20 srun --immediate=5 --partition=cpu --mem=50 true 2>/dev/null && return 0
        sleep 0.5
    done
    fail "no job runs; slurmctld.log ends with: $(tail -n 3 $HOME_DIR/slurmctld.log)"
}

start() {
    [ "$(id -u)" = 0 ] || fail "only root can start it"
    [ ! -e $LINK ] || is_ours || fail "$LINK belongs to another cluster"
    mkdir -p $HOME_DIR/state $HOME_DIR/spool ${LINK%/*}
    install_packages
    make_devices
    write_configuration
    ln -sfn "$SLURM_CONF" $LINK
    start_daemons >>$HOME_DIR/start.log 2>&1 </dev/null
    wait_until_ready
    status
}

stop() {
    local name pid
    for name in slurmd slurmctld munged; do
        pid=$(running $name) || continue
        kill "$pid"
        for _ in $(seq 100); do
            running $name >/dev/null || continue 2
            sleep 0.1
        done
        kill -KILL "$pid"
    done
    ! is_ours || rm $LINK
    rm -rf "$HOME_DIR"
}

status() {
    running slurmctld >/dev/null && running slurmd >/dev/null || fail "not running"
    sinfo --Node --format="%N %P %T cpus=%c memory=%m %G"
}

case ${1:-} in
start | stop | status) "$1" ;;
*) fail "use start, stop or status" ;;
esac
