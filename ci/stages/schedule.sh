# Delays put in on purpose, and the accounts of the time ledger that they show in. A row that a busy machine
# disturbed is played again, so that only one that is wrong each time fails. In the demo's environment, if there is one.
source "$(dirname "$0")/../environment.sh"

if [ -x "$BUILD/main/bin/touchdown" ]; then PYTHON=$BUILD/main/bin/python; else dev_env; fi
"$PYTHON" -m tests.schedule
