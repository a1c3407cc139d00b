# Every backend state with every way of ending, and children by every start method.
source "$(dirname "$0")/../environment.sh"

dev_env
"$PYTHON" -m pytest -m stage_exits tests/exits
