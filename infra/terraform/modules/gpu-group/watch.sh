#!/usr/bin/env bash
# Runs on each GPU machine. Three tasks: the machine is in service once each of its workers has loaded the engine; while
# a GPU works, the machine is protected from scaling in; and when the machine is to end, for whatever reason, its workers
# are stopped in time: they take no new job, finish or hand back the one in hand, and only then may the machine go.
set -u

readonly METADATA=http://169.254.169.254/latest
readonly IDLE_SAMPLES=24 # of 5 s: two minutes without work on any GPU
readonly LAUNCH_TRIES=12 # a minute: after a restart of this watchman there is no launch to complete any more
readonly READY=${READY:-/scratch} # the folder of worker N is N below it, its sign of being ready (WORKER_READY_FILE) there

metadata() {
    local token
    token=$(curl --silent --fail --max-time 2 --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$METADATA/api/token") || return 1
    curl --silent --fail --max-time 2 --header "X-aws-ec2-metadata-token: $token" "$METADATA/meta-data/$1"
}

instance=$(metadata instance-id)
group=$(metadata tags/instance/aws:autoscaling:groupName)

finish_hook() { # name of the hook
    aws autoscaling complete-lifecycle-action --lifecycle-hook-name "$1" --auto-scaling-group-name "$group" \
        --instance-id "$instance" --lifecycle-action-result CONTINUE
}

protect() { # true or false
    local flag=--protected-from-scale-in
    [ "$1" = true ] || flag=--no-protected-from-scale-in
    aws autoscaling set-instance-protection --instance-ids "$instance" --auto-scaling-group-name "$group" "$flag" && protected=$1
}

# A spot notice (two minutes), or the group's own wish.
ending() {
    metadata spot/instance-action >/dev/null && return 0
    [ "$(metadata autoscaling/target-lifecycle-state)" = Terminated ]
}

drain() {
    logger --tag invokeai-watch "this machine ends: draining"
    local gpu stops=()
    for ((gpu = 0; gpu < GPUS; gpu++)); do
        systemctl stop "invokeai-worker@$gpu" & # all at once: each has its own time
        stops+=($!)
    done
    wait "${stops[@]}"
    finish_hook terminate || true
    exit 0
}

ready() { # whether each worker has loaded the engine
    local gpu
    for ((gpu = 0; gpu < GPUS; gpu++)); do
        [ -f "$READY/$gpu/ready" ] || return 1
    done
}

launch() { # a machine whose workers never get ready is given up by its group, after the hook's time-out
    if [ "$launches" -ge "$LAUNCH_TRIES" ] || ! ready; then return; fi
    launches=$((launches + 1))
    finish_hook launch && launches=$LAUNCH_TRIES
}

working() { # whether any GPU computes at this moment
    nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits | awk '$1 > 0 {busy = 1} END {exit !busy}'
}

trap drain TERM
protected=true # machines are protected at birth
idle=0
launches=0

while true; do
    ending && drain
    launch
    if working; then
        idle=0
        [ "$protected" = true ] || protect true
    else
        idle=$((idle + 1))
        [ "$idle" -lt "$IDLE_SAMPLES" ] || [ "$protected" = false ] || protect false
    fi
    sleep 5
done
