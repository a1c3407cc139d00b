# The compiled rooms: the tests of what is compiled, accounts equal to plain Python's to the last digit, and the speed.
source "$(dirname "$0")/../environment.sh"

pinned_env native
python=$BUILD/native/bin/python
tree=$BUILD/native/tree
mkdir -p "$tree"
git ls-files -z | xargs -0 cp --parents -t "$tree"
"$python" -m native.build "$tree"

cd "$tree"
export PYTHONPATH=$tree
"$python" -c 'import touchdown.accounting.fold as fold; assert not fold.__file__.endswith(".py"), fold.__file__'
# One test replaces a function inside a compiled module, which compiled callers do not see.
"$python" -m pytest -q tests/records tests/accounting tests/context tests/sessions \
    --deselect tests/sessions/test_bad_input.py::test_a_line_that_is_too_long_is_left_out_and_never_held

for name in transcripts weka; do
    for folder in "$REPOSITORY" "$tree"; do
        (cd "$folder" && PYTHONPATH=$folder "$python" -m touchdown analyze "$TOUCHDOWN_TEST_DATA/$name" \
            --by turn --timezone UTC --json) >"$BUILD/native/$name-$(basename "$folder").json"
    done
    cmp "$BUILD/native/$name-$(basename "$REPOSITORY").json" "$BUILD/native/$name-tree.json"
    echo "$name: the same accounts, byte for byte"
done
"$python" benchmarks/analyze.py --mb 40
