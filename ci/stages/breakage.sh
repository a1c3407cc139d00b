# Every part broken in every way, in every shape of a call: prints what the user then gets, and whether it changed.
source "$(dirname "$0")/../environment.sh"

if [ ! -d "$BUILD/main" ]; then
    fresh_env main
    "$BUILD/main/bin/pip" install -qq -e ".[dev]"
fi
"$BUILD/main/bin/python" -m tests.breakage
