# Every backend state with every way of ending, and children by every start method.
source "$(dirname "$0")/../environment.sh"

if [ ! -d "$BUILD/main" ]; then
    fresh_env main
    "$BUILD/main/bin/pip" install -qq -e ".[dev]"
fi
"$BUILD/main/bin/python" -m pytest -m stage_exits tests/exits
