# A real Phoenix on two free loopback ports; spans are sent from the main environment and read back by its API.
source "$(dirname "$0")/../environment.sh"

pinned_env phoenix
dev_env

read -r http grpc < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in held))')
rm -rf "$BUILD/phoenix-data" && mkdir -p "$BUILD/phoenix-data"
PHOENIX_WORKING_DIR=$BUILD/phoenix-data PHOENIX_HOST=127.0.0.1 PHOENIX_PORT=$http PHOENIX_GRPC_PORT=$grpc \
    PHOENIX_TELEMETRY_ENABLED=false "$BUILD/phoenix/bin/phoenix" serve >"$BUILD/phoenix-server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true' EXIT

if ! python3 ci/wait_for.py "http://127.0.0.1:$http/healthz" 180; then
    tail -n 50 "$BUILD/phoenix-server.log"
    exit 1
fi
PHOENIX_URL=http://127.0.0.1:$http PHOENIX_GRPC=http://127.0.0.1:$grpc \
    "$PYTHON" -m pytest -m stage_phoenix tests/stages
