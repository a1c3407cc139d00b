# Every test, the recordings among them, with the lowest versions of everything, on the lowest Python where this
# machine has it.
source "$(dirname "$0")/../environment.sh"

python=$(python_of 3.10)
if [ -n "$python" ]; then
    pinned_env low-sdks "$python"
else
    echo "no Python 3.10 here: the lowest SDKs on $(python3 -V), their own dependencies unpinned"
    fresh_env low-sdks
    "$BUILD/low-sdks/bin/pip" install -qq -r ci/envs/low-sdks.in
fi
"$BUILD/low-sdks/bin/python" -m pytest
