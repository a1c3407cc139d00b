# gunicorn with and without --preload, Celery's prefork pool, uvloop and joblib, in an environment of their own.
source "$(dirname "$0")/../environment.sh"

pinned_env servers
dev_env
SERVERS_PYTHON=$BUILD/servers/bin/python "$PYTHON" -m pytest -m stage_servers tests/stages
