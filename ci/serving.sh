# Sourced by the stages that run a serving engine: what the machine must have, free ports, servers and their end.

# skipped REASON: this machine cannot run it, which is no failure of the change.
skipped() {
    echo "stage $(basename "$0" .sh) skipped: $1"
    exit 0
}

# needs DISK_GB MEMORY_GB: skip the stage on a machine that has less free.
needs() {
    local free_gb memory_gb
    free_gb=$(df -BG --output=avail . | tail -n 1 | tr -dc 0-9)
    memory_gb=$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
    [ "$free_gb" -ge "$1" ] || skipped "$free_gb GB of disk are free, $1 are needed"
    [ "$memory_gb" -ge "$2" ] || skipped "$memory_gb GB of memory are free, $2 are needed"
    [ "$(uname -sm)" = "Linux x86_64" ] || skipped "there are wheels for Linux on x86-64 only"
}

# install_in NAME LOG ARGUMENT...: into the environment of that name, and skip the stage where a part is not to be had.
# Most of an engine's modules are never imported: what is, is compiled then.
install_in() {
    local missing
    if ! "$BUILD/$1/bin/pip" install -qq --no-compile "${@:3}" 2>"$2"; then
        missing=$(grep -m 1 "No matching distribution" "$2") && skipped "$missing"
        cat "$2"
        exit 1
    fi
}

# mend_torchvision PACKAGES: its PyPI build registers operators that the CPU build of torch does not have.
mend_torchvision() {
    sed -i '/^    _meta_registrations,$/d' "$1/torchvision/__init__.py"
}

# ports NUMBER: so many that are free, all below 2^15: Dynamo reads the port of a worker's metrics as a signed number
# of 16 bits.
ports() {
    python3 -c '
import random, socket, sys
held = []
while len(held) < int(sys.argv[1]):
    try:
        held.append(socket.create_server(("127.0.0.1", random.randrange(20000, 32000))))
    except OSError:
        pass
print(*(one.getsockname()[1] for one in held))' "$1"
}

servers=()
stop() {
    kill "${servers[@]}" 2>/dev/null || true
    wait "${servers[@]}" 2>/dev/null || true
    servers=()
}
trap stop EXIT

# ready URL LOG: wait until it answers, as long as the last server runs; what it printed is shown when it ends.
ready() {
    local began=$SECONDS
    while [ $((SECONDS - began)) -lt 480 ] && kill -0 "${servers[-1]}"; do
        if python3 ci/wait_for.py "$1" 20; then return; fi
    done
    tail -n 40 "$2"
    exit 1
}
