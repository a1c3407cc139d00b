# Every part broken in every way, in every shape of a call: prints what the user then gets, and whether it changed.
source "$(dirname "$0")/../environment.sh"

dev_env
"$PYTHON" -m tests.breakage
