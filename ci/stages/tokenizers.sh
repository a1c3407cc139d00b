# Token shares against real tokenizers, without and with what is learned in ten calls; prints the table.
source "$(dirname "$0")/../environment.sh"

pinned_env tokenizers
"$BUILD/tokenizers/bin/python" -m pytest -m stage_tokenizers tests/tokenizers
