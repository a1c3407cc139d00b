# `touchdown run` on an agent nobody here wrote, in its own environment with openai 2.x through litellm.
source "$(dirname "$0")/../environment.sh"

pinned_env mini-swe-agent
dev_env
MINI_SWE_PYTHON=$BUILD/mini-swe-agent/bin/python \
    "$PYTHON" -m pytest -m stage_mini_swe_agent tests/stages
