# Style, form and types, with pinned tools; each has its say even when another found something.
source "$(dirname "$0")/../environment.sh"

pinned_env lint
source "$BUILD/lint/bin/activate"
status=0
ruff check . || status=1
ruff format --check . || status=1
mypy || status=1
basedpyright --pythonpath "$BUILD/lint/bin/python" tests/typing || status=1
exit "$status"
