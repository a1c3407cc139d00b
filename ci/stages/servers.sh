# gunicorn with and without --preload, and Celery's prefork pool, in an environment of their own.
source "$(dirname "$0")/../environment.sh"

pinned_env servers
if [ ! -d "$BUILD/main" ]; then
    fresh_env main
    "$BUILD/main/bin/pip" install -qq -e ".[dev]"
fi
SERVERS_PYTHON=$BUILD/servers/bin/python "$BUILD/main/bin/python" -m pytest -m stage_servers tests/stages
