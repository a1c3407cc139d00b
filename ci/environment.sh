# Sourced by every stage: where things are, and how an environment is made.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

REPOSITORY=$PWD
BUILD=$REPOSITORY/build/ci
TOUCHDOWN_TEST_DATA=$(realpath -m "${TOUCHDOWN_TEST_DATA:-../shared/data}")
TOUCHDOWN_REQUIRE_DATA=1 # a missing file is a failure here, not a skip
export TOUCHDOWN_TEST_DATA TOUCHDOWN_REQUIRE_DATA
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1
unset PYTHONPATH VIRTUAL_ENV

# fresh_env NAME [PYTHON]: a new environment, the former one of that name removed.
fresh_env() {
    rm -rf "${BUILD:?}/$1"
    "${2:-python3}" -m venv "$BUILD/$1"
}

# pinned_env NAME [PYTHON]: a new environment with exactly ci/envs/NAME.txt, and touchdown where NAME.in asks for it.
pinned_env() {
    fresh_env "$@"
    "$BUILD/$1/bin/pip" install -qq -r "ci/envs/$1.txt"
    if grep -q '^-e ' "ci/envs/$1.in"; then
        "$BUILD/$1/bin/pip" install -qq --no-deps -e .
        "$BUILD/$1/bin/pip" check
    fi
}

# dev_env: the environment with `.[dev,grpc]` that several stages share, made by the first of them. Sets PYTHON.
dev_env() {
    PYTHON=$BUILD/dev/bin/python
    mkdir -p "$BUILD"
    {
        flock 9
        if [ ! -e "$BUILD/dev/made" ]; then
            fresh_env dev
            "$BUILD/dev/bin/pip" install -qq -e ".[dev,grpc]"
            touch "$BUILD/dev/made"
        fi
    } 9>"$BUILD/dev.lock"
}

# python_of VERSION: the interpreter of that version, empty when this machine has none.
python_of() {
    local candidate
    for candidate in "python$1" "$HOME/.pyenv/versions/$1".*/bin/python; do
        if "$candidate" -c '' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}
