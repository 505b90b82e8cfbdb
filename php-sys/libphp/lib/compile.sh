# shellcheck shell=bash disable=SC2154 # here, suite, zts, cc and branch_minor are set by build, the rest by source.sh
# From the source to a result directory: unpack, patch, configure, compile, install.

# Raise it when the steps below change in a way that changes what comes out; it is a part of the cache key.
recipe=2

# Prints the options of configure, one a line: what every libphp of ours has, then the suite's extensions.
configure_flags() {
    # Two front ends: the server and the command line. Zend signals are useless with threads and cost system calls in
    # each request. The paths only end up in PHP's built-in defaults.
    printf '%s\n' --prefix=/usr/local --with-config-file-path=/etc/ephpm --enable-cli --disable-cgi --disable-phpdbg \
        --disable-all --enable-embed=static --disable-debug --disable-rpath --disable-zend-signals
    # The timers are per thread and do not compile without threads, although configure would let us.
    if [[ $zts == 1 ]]; then
        printf '%s\n' --enable-zend-max-execution-timers --enable-zts
    else
        echo --disable-zend-max-execution-timers
    fi
    # From 8.5 on opcache is always there and always static.
    ((branch_minor > 4)) || echo --enable-opcache
    suite_column "$suite" 2
}

# Position-independent, as Rust's executables are; thread-local storage of an executable (see the patch).
compiler_flags() {
    echo "-O2 -fPIE -ftls-model=local-exec${PHP_CFLAGS:+ $PHP_CFLAGS}"
}

compiler_version() {
    "${cc[@]}" --version | head -n 1
}

# Everything that decides what the result is; its hash is in the name of the result directory.
build_inputs() {
    local script
    echo "recipe $recipe"
    echo "source $source_id"
    configure_flags
    compiler_flags
    compiler_version
    "${cc[@]}" -dumpmachine
    [[ -z ${CXX:-} ]] || echo "c++ $CXX"
    # configure takes these from the environment.
    [[ -z ${CPPFLAGS:-}${LDFLAGS:-}${LIBS:-} ]] || echo "environment ${CPPFLAGS:-} ${LDFLAGS:-} ${LIBS:-}"
    patches | while IFS='|' read -r script _; do cat "$script"; done
    [[ $pgo == 0 ]] || training_inputs
}

# Says what comes next, and how far that is.
steps_done=0
step() {
    steps_done=$((steps_done + 1))
    say "[$steps_done/$steps] $1"
}

# Builds into $1, which does not exist yet; $2 is a scratch directory, $3 a prefix for names of log files.
build_libphp() {
    local result=$1 scratch=$2 logs=$3
    check_tools_and_libraries
    [[ $pgo == 0 ]] || check_training_tools

    step "source: PHP $php_version"
    unpack_for_build "$scratch/php" >"$logs-source.log" 2>&1 || build_failed source "$logs-source.log"
    cd "$scratch/php" || die "cannot enter $scratch/php"
    apply_patches

    step "configure (a minute; log: $logs-configure.log)"
    local -a flags
    mapfile -t flags < <(configure_flags)
    CFLAGS=$(compiler_flags) CXXFLAGS=$(compiler_flags) ./configure "${flags[@]}" >"$logs-configure.log" 2>&1 ||
        build_failed configure "$logs-configure.log"

    if [[ $pgo == 0 ]]; then
        compile "$logs-make.log"
    else
        compile "$logs-counting.log" "$counting_flags"
        lay_out "$scratch/counting" "$scratch" "$logs-install.log"
        train "$scratch/counting" "$scratch" "$logs"
        forget_objects
        compile "$logs-make.log" "$trained_flags"
    fi
    step "archive and headers"
    lay_out "$result" "$scratch" "$logs-install.log"
}

# Puts what was compiled into $1, which does not exist yet.
lay_out() {
    local result=$1 installed=$2/installed log=$3
    make install-headers INSTALL_ROOT="$installed" >"$log" 2>&1 || build_failed install "$log"
    mkdir -p "$result/lib" "$result/include"
    add_command_line libs/libphp.a
    mv libs/libphp.a "$result/lib/"
    mv "$installed/usr/local/include/php" "$result/include/"
    linker_arguments >"$result/link.txt"
}

# What configure would find out one at a time, said at once.
check_tools_and_libraries() {
    local tool module missing=()
    for tool in make pkg-config tar xz nm ar objcopy; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) || die "missing: ${missing[*]}" "on Debian or Ubuntu: $here/system-packages build"
    for module in $(suite_column "$suite" 4); do
        pkg-config --exists "$module" || missing+=("$module ($(suite_lines "$suite" | awk -F'|' -v m="$module" \
            '$4 == m { print $3; exit }'))")
    done
    ((${#missing[@]} == 0)) || die "libraries that suite '$suite' needs are missing; pkg-config's names (and Debian's):" \
        "${missing[@]}" "on Debian or Ubuntu: PHP_SUITE=$suite $here/system-packages build"
}

# PHP's own tests are more than half of the files and take no part in a build.
unpack_for_build() {
    mkdir -p "$1"
    if [[ -d $source_path ]]; then
        cp -a "$source_path/." "$1"
        [[ -x $1/configure ]] || (cd "$1" && ./buildconf --force)
    else
        tar -xf "$source_path" -C "$1" --strip-components=1 --exclude='*/tests/*'
    fi
}

# Prints "script|file" for each patch that this version of PHP needs.
patches() {
    local script file last
    sed '/^#/d; s/[[:space:]]*|[[:space:]]*/|/g' "$here/patches/series" | while IFS='|' read -r script file last; do
        [[ $last != - ]] && ((branch_minor > ${last#8.})) && continue
        echo "$here/patches/$script|$file"
    done
}

apply_patches() {
    local script file
    patches | while IFS='|' read -r script file; do
        cp "$file" "$file.unpatched"
        sed -i -f "$script" "$file"
        ! cmp -s "$file" "$file.unpatched" || die "$script does not fit $file of PHP $php_version"
    done
}

# Compiles with the further flags $2, if any; $1 is the log.
compile() {
    local log=$1 jobs=${JOBS:-$(nproc)} total reporter
    local -a targets
    mapfile -t targets < <(echo libphp.la && command_line_objects)
    targets+=("PROF_FLAGS=${2:-}")
    # A make that called us would hand down its own flags and job slots.
    unset MAKEFLAGS MFLAGS MAKELEVEL
    total=$(make -n "${targets[@]}" 2>/dev/null | grep -c -e '--mode=compile') || true
    step "compile: $total files, $jobs at a time (log: $log)"
    : >"$log"
    report_progress "$log" "$total" "$BASHPID" 9>&- &
    reporter=$!
    # In the foreground, so that Ctrl-C reaches it.
    if ! make -j"$jobs" "${targets[@]}" >>"$log" 2>&1; then
        kill "$reporter" 2>/dev/null || true
        build_failed compile "$log"
    fi
    kill "$reporter" 2>/dev/null || true
    wait "$reporter" 2>/dev/null || true
    [[ ! -t 2 ]] || printf '\n' >&2
    [[ -f libs/libphp.a ]] || build_failed compile "$log"
}

# The objects of PHP's own command line (sapi/cli), which no library has, as make's targets.
command_line_objects() {
    sed -n 's/^PHP_CLI_OBJS = //p; s/^PHP_BINARY_OBJS = //p' Makefile | tr ' ' '\n' | grep -v '^$'
}

# Puts the command line into the archive. Its main() is renamed, as it is not the program's, and so is its list of
# extensions, as there is embed's already (main/internal_functions.c). HARDCODED_INI is in embed, too, up to 8.2.
add_command_line() {
    local archive=$1 target
    local -a objects=()
    while IFS= read -r target; do
        objects+=("${target%.lo}.o")
    done < <(command_line_objects)
    for target in "${objects[@]}"; do
        objcopy --localize-symbol HARDCODED_INI --redefine-sym main=php_cli_main \
            --redefine-sym php_register_internal_extensions=php_cli_register_internal_extensions "$target"
    done
    ar qs "$archive" "${objects[@]}"
}

# One line that is rewritten on a terminal; elsewhere a line at each twentieth of the way. Ends with process $3 at
# the latest.
report_progress() {
    local log=$1 total=$2 builder=$3 done=0 last=-1 started=$SECONDS line
    while sleep 1 && kill -0 "$builder" 2>/dev/null; do
        done=$(grep -c -e '--mode=compile' "$log") || true
        line="compile $done/$total files, $((total ? 100 * done / total : 0)) %, $((SECONDS - started)) s"
        if [[ -t 2 ]]; then
            printf '\rlibphp: %s\033[K' "$line" >&2
        elif ((total && 20 * done / total != last)); then
            last=$((20 * done / total))
            say "$line"
        fi
    done
}

# What an executable has to be linked with besides libphp.a, each library once. Of two places the last counts, as
# it does for archives.
linker_arguments() {
    sed -n 's/^EXTRA_LDFLAGS = //p; s/^EXTRA_LIBS = //p' Makefile | tr ' ' '\n' | grep -v '^$' |
        tac | awk '!seen[$0]++' | tac
}

build_failed() {
    local phase=$1 log=$2 missing
    printf '\n----- the last lines of %s\n' "$log" >&2
    # Command lines of a compiler fill a screen each, and what it says about them is not the last with many jobs.
    grep -v -e '--mode=compile' "$log" | grep -iE -A 3 '\b(fatal )?error\b' | cut -c1-240 | head -n 20 >&2 || true
    printf '...\n' >&2
    tail -n 30 "$log" | cut -c1-240 >&2
    printf -- '-----\n' >&2
    missing=$(missing_suite_packages "$suite")
    die "$phase failed; the log: $log" \
        ${missing:+"these packages are missing: $missing"} ${missing:+"install them: PHP_SUITE=$suite $here/system-packages build"}
}
