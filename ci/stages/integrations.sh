# Each integration's own tests, with the real host in an environment of its own.
source "$(dirname "$0")/../environment.sh"

for folder in integrations/*/; do
    name=$(basename "$folder")
    pinned_env "$name"
    "$BUILD/$name/bin/pip" install -qq --no-deps -e "$folder"
    "$BUILD/$name/bin/python" -m pytest "${folder}tests"
done
