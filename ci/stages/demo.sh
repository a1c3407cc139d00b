# A fresh environment and the README's first command, as a newcomer types it.
source "$(dirname "$0")/../environment.sh"

command=$(python3 ci/readme_command.py "touchdown demo")
fresh_env main
source "$BUILD/main/bin/activate"
echo "\$ $command"
bash -c "$command"
