# NVIDIA Dynamo's real frontend and KV router before two mock workers; no etcd, no NATS, no GPU. Twice: workers that do
# whole requests, and one that prefills before one that decodes.
source "$(dirname "$0")/../environment.sh"
source ci/serving.sh

# Dynamo's own metadata asks for a placeholder that cannot be built and that neither of its parts here imports.
fresh_env dynamo
"$BUILD/dynamo/bin/pip" install -qq --no-deps -r ci/envs/dynamo-wheels.txt
"$BUILD/dynamo/bin/pip" install -qq -r ci/envs/dynamo.txt 2>/dev/null
dev_env

data=$BUILD/dynamo-data
rm -rf "$data" && mkdir -p "$data"
"$BUILD/dynamo/bin/python" ci/tiny_model.py "$data/tiny"
read -r http tools otlp split first second third fourth < <(ports 8)
export DYN_DISCOVERY_BACKEND=file DYN_REQUEST_PLANE=tcp DYN_EVENT_PLANE=zmq
export DYN_TCP_RPC_HOST=127.0.0.1 DYN_SYSTEM_HOST=127.0.0.1 HF_HUB_OFFLINE=1 DYN_LOGGING_JSONL=true

# started LOG MODULE ARGUMENT...: a server of Dynamo's.
started() {
    "$BUILD/dynamo/bin/python" -m "dynamo.$2" "${@:3}" >"$data/$1.log" 2>&1 &
    servers+=($!)
}
# deployed NAME PORT MODE MODE EVENTS EVENTS: a frontend, and two workers that find it by its own folder and publish
# their cache events at these ports.
deployed() {
    export DYN_FILE_KV=$data/$1
    mkdir "$DYN_FILE_KV"
    started "$1" frontend --http-host 127.0.0.1 --http-port "$2" --router-mode kv --kv-cache-block-size 16 \
        --enable-anthropic-api
    unset DYN_REQUEST_TRACE # each process would open the same socket
    for number in 1 2; do
        started "$1-worker-$number" mocker --model-path "$data/tiny" --model-name tiny --block-size 16 \
            --num-gpu-blocks-override 4096 --speedup-ratio 10 --disaggregation-mode "${@:number+2:1}" \
            --zmq-kv-events-ports "${@:number+4:1}"
    done
}

export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$otlp OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:$otlp
export OTEL_EXPORT_ENABLED=true DYN_REQUEST_TRACE_SINKS=file DYN_REQUEST_TRACE_FILE_FORMAT=jsonl DYN_REQUEST_TRACE=1
export DYN_REQUEST_TRACE_TOOL_EVENTS_ZMQ_ENDPOINT=tcp://127.0.0.1:$tools DYN_REQUEST_TRACE_FILE_PATH=$data/trace.jsonl
deployed whole "$http" agg agg "$first" "$second"
deployed split "$split" prefill decode "$third" "$fourth"
unset OTEL_EXPORTER_OTLP_ENDPOINT OTEL_EXPORTER_OTLP_TRACES_ENDPOINT

ready "http://127.0.0.1:$http/v1/models/tiny" "$data/whole.log"
ready "http://127.0.0.1:$split/v1/models/tiny" "$data/split.log"
DYNAMO_URL=http://127.0.0.1:$http DYNAMO_TRACE=$data/trace.jsonl DYNAMO_TOOL_EVENTS=tcp://127.0.0.1:$tools \
    DYNAMO_OTLP_PORT=$otlp DYNAMO_SPLIT_URL=http://127.0.0.1:$split \
    DYNAMO_KV_EVENTS="tcp://127.0.0.1:$first;tcp://127.0.0.1:$second" "$PYTHON" -m pytest -m stage_dynamo tests/stages
