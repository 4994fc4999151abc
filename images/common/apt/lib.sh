# Sourced by install and unpack. Mirrors are whatever the base image's own apt configuration names.
# The host's CA bundle is there during the build only, as the secret `ca` (a mirror behind https may need it).
export DEBIAN_FRONTEND=noninteractive
apt_options="-qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0"
[ ! -s /run/secrets/ca ] || apt_options="$apt_options -o Acquire::https::CAInfo=/run/secrets/ca"

# apt_update PACKAGE[/forky]...: reads the indices needed; sets $names to the packages without their suite.
apt_update() {
    names="" from_forky=""
    for package in "$@"; do
        names="$names ${package%/forky}"
        [ "$package" = "${package%/forky}" ] || from_forky="$from_forky ${package%/forky}"
    done
    if [ -n "$from_forky" ]; then
        # the official image has a .sources file, mmdebstrap writes either that or sources.list
        for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources; do
            [ ! -s "$file" ] || sed 's/\btrixie\b/forky/' "$file" >"/etc/apt/sources.list.d/forky.${file##*.}"
        done
        printf 'Package: *\nPin: release n=forky\nPin-Priority: 100\n\nPackage:%s\nPin: release n=forky\nPin-Priority: 990\n' \
            "$from_forky" >/etc/apt/preferences.d/forky
        # A suite under development is often past its Valid-Until on mirrors that are updated rarely.
        apt_options="$apt_options -o Acquire::Check-Valid-Until=false"
    fi
    # shellcheck disable=SC2086 # options are a list
    apt-get $apt_options update
}

apt_clean() {
    rm -rf /etc/apt/sources.list.d/forky.* /etc/apt/preferences.d/forky /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb
}
