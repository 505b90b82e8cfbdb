# shellcheck shell=bash disable=SC2154 # here, suite, cc and cache are set by build
# PHP_PGO=1: a libphp that is compiled twice. The first one counts what it does while an ephpm that is linked with it
# serves WordPress and the demo site; from these counts the compiler knows what to make fast in the second one.

root=$(cd -- "$here/../.." && pwd)

# Threads lose counts, and make them contradict each other, unless they are counted atomically. What the training never
# reaches is compiled as it is without a profile, not for size: other sites than WordPress use it.
counting_flags='-fprofile-generate -fprofile-update=prefer-atomic'
trained_flags='-fprofile-use -fprofile-partial-training -Wno-missing-profile'

# What the training consists of, for the cache key: its requests, and which WordPress it is. The server that runs PHP
# there and the demo site are not in it: they may change by the hour, and what PHP does for them hardly ever.
training_inputs() {
    echo "$counting_flags | $trained_flags"
    cat "$here"/training/* "$root/tests/wordpress/fetch"
}

# Said before anything is compiled, since it would be half an hour later otherwise.
check_training_tools() {
    # Cargo waits for this script when its own build script calls it; it would wait for itself, and nobody would see how
    # far it is.
    [[ -z ${OUT_DIR:-} || -z ${CARGO_MANIFEST_DIR:-} ]] || die "PHP_PGO=1: this libphp is not in the cache" "make release puts it there"
    local tool missing=()
    PATH=$PATH:/usr/sbin:/sbin
    for tool in cargo python3 mariadbd mariadb-install-db my_print_defaults; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) || die "PHP_PGO=1: missing for the training: ${missing[*]}" \
        "on Debian or Ubuntu: $here/system-packages test" "PHP_PGO=0 builds without training"
    "${cc[@]}" --version 2>/dev/null | grep 'Free Software Foundation' >/dev/null || die "PHP_PGO=1: ${cc[*]} is not GCC"
    "$root/tests/wordpress/fetch" >/dev/null || die "PHP_PGO=1: there is no WordPress to train on, see above"
}

# Trains the libphp in $1, whose objects lie below the current directory; $2 is a scratch directory, $3 the log's prefix.
train() {
    local libphp=$1 scratch=$2 log=$3-training.log
    step "the server for the training (log: $3-server.log)"
    # The compiler's own libgcov, since another one may link: versions of it do not mix.
    "${cc[@]}" -print-file-name=libgcov.a >>"$libphp/link.txt"
    (
        cd "$root" || exit
        unset RUSTFLAGS CARGO_BUILD_TARGET
        PHP_PGO=0 LIBPHP_DIR=$libphp CARGO_TARGET_DIR=$scratch/target CARGO_PROFILE_DEV_DEBUG=0 \
            cargo build --locked --bin ephpm --jobs "${JOBS:-$(nproc)}" >"$3-server.log" 2>&1
    ) 9>&- || build_failed "the server for the training" "$3-server.log"

    step "training: WordPress on MariaDB and on SQLite, the demo site (some minutes)"
    # The check of the libphp has counted, too.
    find . -name '*.gcda' -delete
    "$here/training/train" "$scratch/target/debug/ephpm" "$scratch/training" 2> >(tee "$log" >&2) 9>&- ||
        die "the training failed, see above; the log: $log"
    [[ -s Zend/zend_execute.gcda ]] || die "the training left no counts: the server has not ended as it should"
    rm -rf "$scratch/target" "$scratch/training"
}

# Objects go, counts stay.
forget_objects() {
    find . \( -name '*.o' -o -name '*.lo' -o -name '*.la' -o -name '*.a' \) -delete
}
