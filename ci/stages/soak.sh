# Many small calls in one process: exact totals, flat memory.
source "$(dirname "$0")/../environment.sh"

dev_env
"$PYTHON" benchmarks/soak.py 20000
