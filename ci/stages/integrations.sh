# Each integration's own tests, with the real host in environments of its own: the newest, and the lowest supported.
source "$(dirname "$0")/../environment.sh"

for folder in integrations/*/; do
    name=$(basename "$folder")
    for env in "$name" "low-$name"; do
        if [ ! -e "ci/envs/$env.txt" ]; then continue; fi
        pinned_env "$env"
        "$BUILD/$env/bin/pip" install -qq --no-deps -e "$folder"
        "$BUILD/$env/bin/pip" check
        "$BUILD/$env/bin/python" -m pytest "${folder}tests"
    done
done
