# Delays put in on purpose, and the accounts of the time ledger that they show in.
source "$(dirname "$0")/../environment.sh"

dev_env
"$PYTHON" -m tests.schedule
