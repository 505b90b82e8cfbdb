# shellcheck shell=bash disable=SC2154 # cache and here are set by build
# Where PHP's source comes from: PHP_SOURCE, the cache, the distribution's source package, php.net. In that order.

# Sets source_path (a tarball or a directory), php_version (x.y.z) and source_id (what identifies the content).
resolve_source() {
    local wanted=${PHP_VERSION:-8.4}
    [[ $wanted =~ ^8\.[0-9]+(\.[0-9]+)?$ ]] || die "PHP_VERSION is '$wanted': wanted 8.4 or 8.4.1, for example"
    if [[ -n ${PHP_SOURCE:-} ]]; then
        use_given_source "$PHP_SOURCE"
        return
    fi
    mkdir -p "$cache/source"
    exec 8>"$cache/source/.lock"
    flock 8
    source_path=$(newest_cached "$wanted")
    if [[ -z $source_path ]]; then
        say "source: PHP $wanted is not in the cache"
        fetch_from_distribution "$wanted" || fetch_from_php_net "$wanted" ||
            die "no source of PHP $wanted could be fetched" \
                "give one by PHP_SOURCE=php-$wanted.tar.xz, or look at the messages above"
        source_path=$(newest_cached "$wanted")
    fi
    exec 8>&-
    php_version=$(basename "$source_path")
    php_version=${php_version#php-}
    php_version=${php_version%.tar.xz}
    source_id=$(sha256sum <"$source_path")
}

use_given_source() {
    [[ -e $1 ]] || die "PHP_SOURCE: no such file or directory: $1"
    source_path=$(realpath "$1")
    local header
    if [[ -d $source_path ]]; then
        header=$(cat "$source_path/main/php_version.h") || die "PHP_SOURCE: $1 is not PHP's source directory"
        # Size and time of every file stand for the content, as they do for make.
        source_id=$(find "$source_path" -type f -printf '%P %s %T@\n' | LC_ALL=C sort | sha256sum)
    else
        header=$(tar -xOf "$source_path" --wildcards '*/main/php_version.h') ||
            die "PHP_SOURCE: $1 is not a tarball of PHP's source"
        source_id=$(sha256sum <"$source_path")
    fi
    php_version=$(sed -n 's/^#define PHP_VERSION "\([^"]*\)".*/\1/p' <<<"$header")
    [[ -z ${PHP_VERSION:-} || $php_version == "$PHP_VERSION" || $php_version == "$PHP_VERSION".* ]] ||
        die "PHP_SOURCE is PHP $php_version, but PHP_VERSION is $PHP_VERSION"
}

newest_cached() {
    local pattern=$1
    [[ $pattern == *.*.* ]] || pattern+='.*'
    find "$cache/source" -maxdepth 1 -name "php-$pattern.tar.xz" | sort -V | tail -n 1
}

# The source package, by an apt configuration of our own: the machine's package lists stay as they are, and nobody
# has to be root. The mirror is the one which the machine already uses.
fetch_from_distribution() {
    command -v apt-get >/dev/null || return 1
    local wanted=$1 branch id release mirrors version versions
    branch=$(cut -d. -f1,2 <<<"$wanted")
    id=$(. /etc/os-release && echo "$ID")
    release=$(awk -v php="$branch" -v id="$id" '$1 == php && $2 == id { print $3; exit }' "$here/distributions")
    [[ -n $release ]] || return 1

    apt_dir=$(mktemp -d "$cache/source/.apt.XXXXXX")
    mkdir -p "$apt_dir"/{sources,lists/partial,cache/archives/partial,download}
    mirrors=$(apt-get update --print-uris 2>/dev/null |
        sed -n "s|^'\([^']*\)/dists/\([^/]*\)/InRelease'.*|\1 \2|p" | sort -u)
    write_apt_sources "$release" "$mirrors" >"$apt_dir/sources/php.sources"

    say "source: php$branch of $id $release"
    # Other people's repositories are among the places and have no such release: that is no failure.
    private_apt apt-get update >"$apt_dir/log" 2>&1 || true
    versions=$(private_apt apt-cache showsrc --only-source "php$branch" 2>/dev/null |
        sed -n 's/^Version: //p' | sort -Vru) || true
    if [[ -z $versions ]]; then
        say "source: $id $release cannot be read; apt's last words:"
        grep -E '^(E|W|Err)' "$apt_dir/log" | tail -n 5 | sed 's/^/        /' >&2 || true
    fi
    # A mirror may lack the newest version for a while: the next one will do.
    for version in $versions; do
        [[ $wanted == "$branch" || $version == "$wanted"-* || $version == "$wanted"+* ]] || continue
        if (cd "$apt_dir/download" &&
            private_apt apt-get source --download-only --tar-only "php$branch=$version" >>"$apt_dir/log" 2>&1); then
            keep_orig_tarball "$version" && rm -rf "$apt_dir" && return 0
        fi
        say "source: $version is not on this mirror (yet)"
    done
    [[ -z $versions ]] || say "source: no source package of PHP $wanted there"
    rm -rf "$apt_dir"
    fetch_known_tarball "$wanted" "$id" "$mirrors"
}

# A mirror's index may be ahead of its files: it then still has those of an earlier version, which no index names any
# more. They are looked for where they would lie, and verified by our own list of hashes.
fetch_known_tarball() {
    local wanted=$1 id=$2 mirrors=$3 helper=/usr/lib/apt/apt-helper version sum branch uri
    [[ -x $helper ]] || return 1
    while read -r version sum; do
        [[ $version == "$wanted" || $version == "$wanted".* ]] || continue
        branch=$(cut -d. -f1,2 <<<"$version")
        while read -r uri; do
            if "$helper" -o APT::Sandbox::User= download-file \
                "$uri/pool/main/p/php$branch/php${branch}_$version.orig.tar.xz" \
                "$cache/source/.php-$version.tar.xz" "SHA256:$sum" >/dev/null 2>&1; then
                mv "$cache/source/.php-$version.tar.xz" "$cache/source/php-$version.tar.xz"
                say "source: PHP $version of $id's archive"
                return 0
            fi
        done < <(awk '{ print $1 }' <<<"$mirrors" | sort -u)
    done < <(grep -v '^#' "$here/tarballs")
    return 1
}

# Prints deb-src entries for a release and its updates, at the places where this machine has its own.
write_apt_sources() {
    local release=$1 mirrors=$2 uri suite keyring
    while read -r uri suite; do
        case $suite in
            *-backports* | *-proposed*) continue ;;
            *-security) suite=$release-security ;;
            *-updates) suite=$release-updates ;;
            *-*) continue ;;
            *) suite=$release ;;
        esac
        printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main%s\n' "$uri" "$suite" \
            "$([[ $id == ubuntu ]] && echo ' universe')"
        for keyring in /usr/share/keyrings/"$id"-archive-keyring.{gpg,pgp}; do
            [[ -f $keyring ]] && printf 'Signed-By: %s\n' "$keyring" && break
        done
        printf '\n'
    done < <(awk '{ print $1, $2 }' <<<"$mirrors")
}

private_apt() {
    local program=$1
    shift
    "$program" -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt_dir/sources" \
        -o Dir::State::Lists="$apt_dir/lists" -o Dir::Cache="$apt_dir/cache" -o APT::Sandbox::User= \
        -o Acquire::Retries=2 "$@"
}

keep_orig_tarball() {
    local upstream=${1%-*} tarball
    upstream=${upstream%%+*}
    tarball=$(find "$apt_dir/download" -name '*.orig.tar.xz')
    [[ -f $tarball ]] && mv "$tarball" "$cache/source/php-$upstream.tar.xz"
}

# PHP's own site; it also says which version is the newest of a branch and what its tarball hashes to.
fetch_from_php_net() {
    local wanted=$1 site=${PHP_MIRROR:-https://www.php.net} releases name sum
    command -v curl >/dev/null || { say "source: curl is missing, so that php.net cannot be asked"; return 1; }
    say "source: php.net"
    releases=$(curl -fsSL --max-time 60 "$site/releases/index.php?json&version=$wanted" | tr -d ' \n' | tr '{' '\n') || true
    read -r name sum < <(sed -n \
        's/.*"filename":"\(php-[0-9.]*\.tar\.xz\)".*"sha256":"\([0-9a-f]\{64\}\)".*/\1 \2/p' <<<"$releases") || true
    [[ -n ${sum:-} ]] || { say "source: php.net does not tell a release (and its hash) for PHP $wanted"; return 1; }
    curl -fL --silent --show-error --max-time 900 -o "$cache/source/.$name" "$site/distributions/$name" || return 1
    if ! sha256sum --check --status <<<"$sum  $cache/source/.$name"; then
        rm -f "$cache/source/.$name"
        die "source: $name from php.net has not the hash that php.net publishes"
    fi
    mv "$cache/source/.$name" "$cache/source/$name"
}

# Prints a directory with the whole, untouched source, for those who read it or run PHP's own tests.
unpacked_source() {
    [[ -d $source_path ]] && echo "$source_path" && return
    local dir
    dir=$cache/source/php-$php_version-$(cut -c1-12 <<<"$source_id")
    if [[ ! -d $dir ]]; then
        local scratch
        scratch=$(mktemp -d "$cache/source/.unpack.XXXXXX")
        chmod 755 "$scratch"
        tar -xf "$source_path" -C "$scratch" --strip-components=1
        # Two at once: the first to come wins.
        mv -T "$scratch" "$dir" 2>/dev/null || rm -rf "$scratch"
    fi
    echo "$dir"
}
