# Style, form and types, with pinned tools.
source "$(dirname "$0")/../environment.sh"

pinned_env lint
source "$BUILD/lint/bin/activate"
ruff check .
ruff format --check .
mypy
basedpyright --pythonpath "$BUILD/lint/bin/python" tests/typing
