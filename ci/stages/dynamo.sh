# NVIDIA Dynamo's real frontend and KV router before two mock workers; no etcd, no NATS, no GPU.
source "$(dirname "$0")/../environment.sh"

# Dynamo's own metadata asks for a placeholder that cannot be built and that neither of its parts here imports.
fresh_env dynamo
"$BUILD/dynamo/bin/pip" install -qq --no-deps -r ci/envs/dynamo-wheels.txt
"$BUILD/dynamo/bin/pip" install -qq -r ci/envs/dynamo.txt 2>/dev/null
dev_env

data=$BUILD/dynamo-data
rm -rf "$data" && mkdir -p "$data/kv"
"$BUILD/dynamo/bin/python" ci/tiny_model.py "$data/tiny"
read -r http tools otlp < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(one.getsockname()[1] for one in held))')
export DYN_DISCOVERY_BACKEND=file DYN_FILE_KV=$data/kv DYN_REQUEST_PLANE=tcp DYN_EVENT_PLANE=zmq
export DYN_TCP_RPC_HOST=127.0.0.1 DYN_SYSTEM_HOST=127.0.0.1 HF_HUB_OFFLINE=1
export OTEL_EXPORT_ENABLED=true DYN_LOGGING_JSONL=true
export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$otlp OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:$otlp

servers=()
trap 'kill "${servers[@]}" 2>/dev/null; wait "${servers[@]}" 2>/dev/null || true' EXIT
DYN_REQUEST_TRACE=1 DYN_REQUEST_TRACE_SINKS=file DYN_REQUEST_TRACE_FILE_FORMAT=jsonl \
    DYN_REQUEST_TRACE_TOOL_EVENTS_ZMQ_ENDPOINT=tcp://127.0.0.1:$tools \
    DYN_REQUEST_TRACE_FILE_PATH=$data/trace.jsonl "$BUILD/dynamo/bin/python" -m dynamo.frontend --http-host 127.0.0.1 --http-port "$http" --router-mode kv \
    --kv-cache-block-size 16 --enable-anthropic-api >"$data/frontend.log" 2>&1 &
servers+=($!)
for number in 1 2; do
    "$BUILD/dynamo/bin/python" -m dynamo.mocker --model-path "$data/tiny" --model-name tiny \
        --block-size 16 --num-gpu-blocks-override 4096 --speedup-ratio 10 >"$data/worker-$number.log" 2>&1 &
    servers+=($!)
done

if ! python3 ci/wait_for.py "http://127.0.0.1:$http/v1/models/tiny" 120; then
    tail -n 30 "$data"/*.log
    exit 1
fi
DYNAMO_URL=http://127.0.0.1:$http DYNAMO_TRACE=$data/trace.jsonl DYNAMO_TOOL_EVENTS=tcp://127.0.0.1:$tools \
    DYNAMO_OTLP_PORT=$otlp env -u OTEL_EXPORTER_OTLP_ENDPOINT -u OTEL_EXPORTER_OTLP_TRACES_ENDPOINT \
    "$PYTHON" -m pytest -m stage_dynamo tests/stages
