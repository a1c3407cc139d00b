# Spans that the real instrumentations of others make, each in its own environment, against our own capture.
source "$(dirname "$0")/../environment.sh"

pinned_env foreign
pinned_env foreign-openllmetry
if [ ! -d "$BUILD/main" ]; then
    fresh_env main
    "$BUILD/main/bin/pip" install -qq -e ".[dev]"
fi
FOREIGN_PYTHON=$BUILD/foreign/bin/python OPENLLMETRY_PYTHON=$BUILD/foreign-openllmetry/bin/python \
    "$BUILD/main/bin/python" -m pytest -m stage_foreign tests/stages
