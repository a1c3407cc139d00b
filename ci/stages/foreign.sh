# Spans that the real instrumentations of others make, each in its own environment, against our own capture.
source "$(dirname "$0")/../environment.sh"

pinned_env foreign
pinned_env foreign-openllmetry
dev_env
FOREIGN_PYTHON=$BUILD/foreign/bin/python OPENLLMETRY_PYTHON=$BUILD/foreign-openllmetry/bin/python \
    "$PYTHON" -m pytest -m stage_foreign tests/stages
