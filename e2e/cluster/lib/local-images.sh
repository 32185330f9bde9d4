# shellcheck shell=bash
# Images that are made here once and kept: in the engine, and as a tarball for a new engine.

# registry_has IMAGE: whether a container registry answers for it.
registry_has() {
    timeout 30 docker manifest inspect "$1" >/dev/null 2>&1
}

tarball_of() {
    printf '%s/images/%s.tar\n' "$ALTER_CACHE" "${1//[\/:]/_}"
}

# have_image IMAGE: whether the engine has it, or has it now from its tarball.
have_image() {
    local tarball
    tarball=$(tarball_of "$1")
    if ! docker image inspect "$1" >/dev/null 2>&1; then
        [[ -f $tarball ]] || return 1
        docker load --quiet --input "$tarball" >&2 || return 1
    fi
    say "$1: cached"
}

# keep_image IMAGE: writes the tarball, in place of those of the same name with other tags.
keep_image() {
    local tarball
    tarball=$(tarball_of "$1")
    find "$ALTER_CACHE/images" -name "$(basename "$(tarball_of "${1%:*}:*")")" -delete
    docker save --output "$tarball.part" "$1"
    mv "$tarball.part" "$tarball"
}

# build_image IMAGE COMMAND...: COMMAND makes IMAGE in the engine.
build_image() {
    local image=$1 name=${1##*/} start=$SECONDS
    shift
    say "$image: building"
    logged "image-${name%%:*}" "$@"
    logged "image-${name%%:*}-save" keep_image "$image"
    say "$image: built in $((SECONDS - start)) s"
}

# debian_image IMAGE PACKAGE...: a minimal Debian with these packages, from its package archive. Its
# files are laid out in the caller's WORK folder.
debian_image() {
    local image=$1 packages root
    shift
    [[ $EUID == 0 ]] || die "no container registry answers, and making images from Debian packages needs root"
    command -v debootstrap >/dev/null || die 'debootstrap is missing: apt-get install debootstrap'
    packages=$(IFS=,; echo "$*")
    root=$(mktemp -d "$WORK/XXXXXXXX")
    debootstrap --variant=minbase --include="$packages" "$DEBIAN_RELEASE" "$root"
    tar --directory "$root" --create --one-file-system \
        --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' \
        --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
        . | docker import - "$image"
}
