# Many small calls in one process: exact totals, flat memory.
source "$(dirname "$0")/../environment.sh"

if [ ! -d "$BUILD/main" ]; then
    fresh_env main
    "$BUILD/main/bin/pip" install -qq -e ".[dev]"
fi
"$BUILD/main/bin/python" benchmarks/soak.py 20000
