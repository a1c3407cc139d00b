# Every cause of a cache miss through the real SDKs: prints what was lost, what was said, and whether it was right.
source "$(dirname "$0")/../environment.sh"

dev_env
"$PYTHON" -m tests.matrix
