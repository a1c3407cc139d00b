# Every cause of a cache miss through the real SDKs: prints what was lost, what was said, and whether it was right.
source "$(dirname "$0")/../environment.sh"

if [ ! -d "$BUILD/main" ]; then
    fresh_env main
    "$BUILD/main/bin/pip" install -qq -e ".[dev]"
fi
"$BUILD/main/bin/python" -m tests.matrix
