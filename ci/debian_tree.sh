# Sourced by what needs a Python that this machine has not: a tree of a Debian suite that has it, and a way inside.

declare -A SUITE_OF=([3.13]=trixie [3.14]=sid)

# The mirror that apt is set up with here.
debian_mirror() {
    local release
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 2>/dev/null |
        awk -v release="$release" '$1 == release { print $2; exit }'
}

# why_no_tree: empty where a tree can be made.
why_no_tree() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "only root can make a tree of another Debian"
    elif ! unshare --mount true 2>/dev/null; then
        echo "nothing can be mounted here"
    elif [ -z "$(debian_mirror)" ]; then
        echo "apt has no mirror of Debian here"
    elif ! command -v debootstrap >/dev/null && ! install_debootstrap >/dev/null 2>&1; then
        echo "debootstrap cannot be installed"
    fi
}

install_debootstrap() {
    apt-get update -qq && apt-get install -qq -y debootstrap
}

# debian_tree VERSION: make the tree that has this Python. Sets TREE; false, and says why, where it cannot be made.
debian_tree() {
    local suite=${SUITE_OF[$1]:-} why
    TREE=$BUILD/debian-$suite
    if [ -x "$TREE/usr/bin/python$1" ]; then return; fi
    why=$(why_no_tree)
    if [ -z "$suite" ]; then why="no suite of Debian is known to have it"; fi
    if [ -z "$why" ]; then
        rm -rf "$TREE" && mkdir -p "$BUILD"
        if debootstrap --variant=minbase --include="python$1-venv" "$suite" "$TREE" "$(debian_mirror)" \
            >"$BUILD/debian-$suite.log" 2>&1; then
            return
        fi
        tail -n 5 "$BUILD/debian-$suite.log"
        why="debootstrap made no tree of $suite"
    fi
    echo "no Python $1 here, and none can be had: $why"
    return 1
}

# bound_paths: what must be the same inside: the checkout, its data, and what pip is set up with.
bound_paths() {
    printf '%s\n' /dev /proc /sys /etc/resolv.conf /etc/hosts /etc/ssl "$REPOSITORY"
    dirname "$TOUCHDOWN_TEST_DATA"
    python3 -m pip config debug | sed -n 's/^ *\(\/.*\), exists: True$/\1/p'
    python3 -m pip config list | grep -oE "(file://)?/[^' ]+" | sed -E 's,^file://(.*)/[^/]+/?$,\1,'
}

# inside TREE COMMAND...: run it in the tree, in this folder, as if it were here.
inside() {
    bound_paths | sort -u | unshare --mount --propagation private bash -c '
        set -euo pipefail
        tree=$1
        shift
        while read -r path; do
            if [ "$path" = / ] || [ ! -e "$path" ] || [ "$path" -ef "$tree$path" ]; then continue; fi
            if [ -d "$path" ]; then
                mkdir -p "$tree$path"
            else
                mkdir -p "$tree${path%/*}"
                if [ -L "$tree$path" ]; then rm "$tree$path"; fi
                touch "$tree$path"
            fi
            mount --rbind "$path" "$tree$path"
        done
        exec chroot "$tree" env --chdir="$PWD" "$@" </dev/null
    ' inside "$@"
}

# with_python VERSION COMMAND...: run it where this Python is, here or in a tree; where none can be had, say so.
with_python() {
    local version=$1
    shift
    if [ -n "$(python_of "$version")" ]; then
        "$@"
    elif debian_tree "$version"; then
        inside "$TREE" "$@"
    fi
}
