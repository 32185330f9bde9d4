# shellcheck shell=bash
# What `build` and `push` agree on.

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The version of the workspace, which is the chart's appVersion too.
workspace_version() {
    sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' ../Cargo.toml
}

native_arch() {
    case $(uname -m) in
        x86_64) echo amd64 ;;
        aarch64 | arm64) echo arm64 ;;
        *) die "no images for $(uname -m): only for amd64 and arm64" ;;
    esac
}

readonly IMAGES=(alter alter-agent)
TAG=${TAG:-$(workspace_version)}
