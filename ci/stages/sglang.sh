# SGLang itself on this machine's CPU: its scheduler, cache, metrics, spans and events; of its kernels torch's own.
source "$(dirname "$0")/../environment.sh"
source ci/serving.sh

needs 7 4
data=$BUILD/sglang-data
rm -rf "$data" && mkdir -p "$data/stub/sgl_kernel"

# Its wheel is the build for CUDA, whose kernels are named in its metadata and not needed: nothing is resolved.
echo "installing SGLang (300 MB)"
fresh_env sglang
cat ci/envs/sglang-wheels.txt ci/envs/sglang.txt >"$data/wanted.txt"
install_in sglang "$data/pip.log" --no-deps -r "$data/wanted.txt"
packages=$("$BUILD/sglang/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mend_torchvision "$packages"
cat >"$data/stub/sgl_kernel/__init__.py" <<'PYTHON'
"""Stands in for SGLang's kernels: there is none, which is said by whoever calls one."""


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)

    def missing(*_args, **_kwargs):
        raise NotImplementedError(f"sgl_kernel.{name}")

    return missing
PYTHON
dev_env
"$BUILD/sglang/bin/python" ci/tiny_model.py "$data/tiny"

read -r http otlp events < <(ports 3)
export SGLANG_USE_CPU_ENGINE=1 OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf

echo "starting SGLang"
PYTHONPATH=$data/stub "$BUILD/sglang/bin/python" -m sglang.launch_server --model-path "$data/tiny" --served-model-name tiny \
    --host 127.0.0.1 --port "$http" --device cpu --attention-backend torch_native --sampling-backend pytorch \
    --load-format dummy --dtype float32 --disable-cuda-graph --skip-server-warmup --context-length 8192 \
    --max-total-tokens 16384 --mem-fraction-static 0.1 --enable-metrics --enable-cache-report \
    --enable-trace --otlp-traces-endpoint "http://127.0.0.1:$otlp/v1/traces" \
    --kv-events-config "{\"publisher\": \"zmq\", \"endpoint\": \"tcp://*:$events\", \"topic\": \"kv\"}" \
    >"$data/sglang.log" 2>&1 &
servers+=($!)
ready "http://127.0.0.1:$http/health" "$data/sglang.log"
SGLANG_URL=http://127.0.0.1:$http SGLANG_OTLP_PORT=$otlp SGLANG_KV_EVENTS=tcp://127.0.0.1:$events \
    "$PYTHON" -m pytest -m stage_sglang tests/stages
