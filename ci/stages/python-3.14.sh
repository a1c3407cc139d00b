# Every test on the newest Python: this machine's own, else that of a tree of Debian, in which this runs itself again.
source "$(dirname "$0")/../environment.sh"
source ci/debian_tree.sh

if [ "${1:-}" = inside ]; then
    pinned_env python-3.14 "$(python_of 3.14)"
    "$BUILD/python-3.14/bin/python" -m pytest
else
    with_python 3.14 bash ci/stages/python-3.14.sh inside
fi
