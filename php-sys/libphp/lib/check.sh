# shellcheck shell=bash disable=SC2154 # here, suite, zts and cc are set by build, php_version by source.sh
# Is what was built what was asked for? Asked of the thing itself: a program is linked with it and run.

# Checks the libphp in $1; $2 is where the log goes; writes what it found to $3.
check_libphp() {
    local dir=$1 log=$2 report=$3 program
    [[ -f $dir/lib/libphp.a ]] || die "no lib/libphp.a in $dir"
    [[ -f $dir/include/php/main/php_config.h ]] || die "no include/php/main/php_config.h in $dir"
    [[ -f $dir/link.txt ]] || die "no link.txt in $dir: one argument for the linker a line" \
        "an installed PHP tells them: php-config --libs | tr ' ' '\\n' >$dir/link.txt"

    program=$(mktemp "${TMPDIR:-/tmp}/libphp-probe.XXXXXX")
    link_and_run_probe "$dir" "$program" >"$report" 2>"$log" || { rm -f "$program"; build_failed "check" "$log"; }
    rm -f "$program"
    grep -qx 'opcache: yes' "$report" || die "opcache is not linked into $dir/lib/libphp.a, or does not start; log: $log"
    grep -qx 'debug: no' "$report" || say "warning: this is a debug build of PHP, which is slow"
}

link_and_run_probe() {
    local dir=$1 program=$2 php=$1/include/php opcache command_line
    local -a libraries
    mapfile -t libraries <"$dir/link.txt"
    # From 8.5 on opcache is an ordinary module and registers itself.
    opcache=$(nm "$dir/lib/libphp.a" 2>/dev/null | grep -c ' [DR] zend_extension_entry$') || true
    ((opcache <= 1)) || { echo "zend_extension_entry is defined $opcache times" >&2; return 1; }
    command_line=$(nm "$dir/lib/libphp.a" 2>/dev/null | grep -c ' T php_cli_main$') || true
    "${cc[@]}" -O1 -fPIE -pie -ftls-model=local-exec -pthread -D_GNU_SOURCE \
        -DZEND_ENABLE_STATIC_TSRMLS_CACHE=1 -DOPCACHE_IS_ZEND_EXTENSION="$opcache" -DHAS_COMMAND_LINE="$command_line" \
        -I"$php" -I"$php/main" -I"$php/TSRM" -I"$php/Zend" -I"$php/sapi/embed" \
        "$here/probe.c" -o "$program" "$dir/lib/libphp.a" "${libraries[@]}" -pthread -ldl -lm >&2 || return
    # No php.ini of the machine, nor its additions, may have a say.
    PHPRC=/nonexistent PHP_INI_SCAN_DIR='' "$program" || return
    ((command_line == 0)) || PHP_INI_SCAN_DIR='' "$program" -n -m | sed -n 's/^[^[]/extension: cli:&/p'
}

# Compares a report with what the options asked for.
check_expectations() {
    local report=$1 lacking
    grep -qx "zts: $([[ $zts == 0 ]] && echo no || echo yes)" "$report" || die "PHP was built with the wrong ZTS setting"
    grep -qx "version: $php_version" "$report" || die "PHP says another version than $php_version: $(head -n 1 "$report")"
    lacking=$(lacking_extensions "$report")
    [[ -z $lacking ]] || die "extensions of suite '$suite' are missing from the result: $lacking"
}

lacking_extensions() {
    suite_column "$suite" 1 | while IFS= read -r name; do
        grep -qx "extension: $name" "$1" || printf '%s ' "$name"
    done
}
