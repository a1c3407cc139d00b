# The README's second command, in the environment of the first.
source "$(dirname "$0")/../environment.sh"

command=$(python3 ci/readme_command.py "pytest")
[ -d "$BUILD/main" ] || fresh_env main
source "$BUILD/main/bin/activate"
echo "\$ $command"
bash -c "$command"
