# shellcheck shell=bash disable=SC2154 # here is set by those who source this
# Messages, the suite files and the names of things. Sourced by build and system-packages; `here` is their directory.

say() { printf 'libphp: %s\n' "$*" >&2; }

die() {
    printf 'libphp: error: %s\n' "$1" >&2
    shift
    local line
    for line in "$@"; do printf '        %s\n' "$line" >&2; done
    exit 1
}

# Prints "names|flags|packages|modules" for each extension of a suite, included suites first.
suite_lines() {
    local suite=$1 line
    [[ $suite =~ ^[a-z0-9_-]+$ && -f $here/suites/$suite ]] ||
        die "no suite named '$suite'" "there are: $(cd "$here/suites" && echo *)"
    while IFS= read -r line || [[ -n $line ]]; do
        case $line in
            '' | '#'*) ;;
            'include '*) suite_lines "${line#include }" ;;
            *) sed 's/[[:space:]]*|[[:space:]]*/|/g; s/[[:space:]]*$//' <<<"$line" ;;
        esac
    done <"$here/suites/$suite"
}

# Prints one column (1 names, 2 flags, 3 packages, 4 modules) of a suite, a word a line, each word once, in order.
suite_column() {
    suite_lines "$1" | cut -d'|' -f"$2" | tr ' ' '\n' | awk '$0 != "" && $0 != "-" && !seen[$0]++'
}

# Prints the Debian packages of the suite which this machine does not have, on one line.
missing_suite_packages() {
    command -v dpkg-query >/dev/null || return 0
    suite_column "$1" 3 | while IFS= read -r package; do
        package_is_installed "$package" || printf '%s ' "$package"
    done
}

package_is_installed() {
    dpkg-query --show --showformat '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}
