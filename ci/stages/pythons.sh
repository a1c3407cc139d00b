# What hangs on the interpreter, on the versions between the lowest and the newest: this machine's own, else those of trees
# of Debian, in which this runs itself again.
source "$(dirname "$0")/../environment.sh"
source ci/debian_tree.sh

tests=(tests/architecture tests/processes tests/runtime tests/tasks)
if [ -n "${1:-}" ]; then
    pinned_env "python-$1" "$(python_of "$1")"
    "$BUILD/python-$1/bin/python" -m pytest "${tests[@]}"
else
    for version in 3.12 3.13; do
        with_python "$version" bash ci/stages/pythons.sh "$version"
    done
fi
