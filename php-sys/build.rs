//! Locates libphp, compiles the shim against it and generates the bindings.
//!
//! `libphp/build` decides which libphp it is and builds one if it must. What this script learns is handed to
//! dependants as `DEP_PHP_DIR`, and as `DEP_PHP_LINK_ARGS` what only they can tell the linker.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All C files of the shim, in `shim/`.
const SHIM: [&str; 21] = [
    "children.c",
    "cli.c",
    "environment.c",
    "huge_pages.c",
    "isolation.c",
    "layout.c",
    "memory.c",
    "module.c",
    "opcache.c",
    "opcache_status.c",
    "pid.c",
    "process.c",
    "request.c",
    "runtime.c",
    "sapi.c",
    "stack.c",
    "stream.c",
    "timer.c",
    "user_ini.c",
    "variables.c",
    "watch.c",
];

/// Functions of PHP (`timer.c`, `memory.c`, `stream.c`, `opcache.c`, `cli.c`) and of libc (`children.c`, `environment.c`,
/// `process.c`) that the shim exchanges for its own, where they are called.
const WRAPPED: [&str; 15] = [
    "pclose",
    "popen",
    "posix_spawn",
    "putenv",
    "setlocale",
    "umask",
    "zend_set_memory_limit",
    "zend_set_timeout",
    "zend_unset_timeout",
    "zend_max_execution_timer_init",
    "zend_max_execution_timer_shutdown",
    "_php_stream_mmap_range",
    "zend_accel_error",
    "zend_accel_error_noreturn",
    "save_ps_args",
];

/// What `libphp/build` listens to.
const OPTIONS: [&str; 10] = [
    "CC",
    "CXX",
    "EPHPM_CACHE",
    "LIBPHP_DIR",
    "PHP_CFLAGS",
    "PHP_PGO",
    "PHP_SOURCE",
    "PHP_SUITE",
    "PHP_VERSION",
    "PHP_ZTS",
];

/// Names the WordPress that a libphp with `PHP_PGO=1` is trained on.
const TRAINING: &str = "../tests/wordpress/fetch";

fn main() {
    for option in OPTIONS {
        println!("cargo::rerun-if-env-changed={option}");
    }
    println!("cargo::rerun-if-changed=libphp");
    println!("cargo::rerun-if-changed=shim");
    if env::var_os("PHP_PGO").is_some_and(|value| value == "1") {
        println!("cargo::rerun-if-changed={TRAINING}");
    }

    let libphp = locate_libphp();
    let archive = libphp.join("lib/libphp.a");
    println!("cargo::rerun-if-changed={}", archive.display());
    println!("cargo::metadata=dir={}", libphp.display());

    compile_shim(&libphp.join("include/php"), &defined_symbols(&archive));
    generate_bindings();
    link(&libphp);
}

/// Runs `libphp/build`, which prints the directory of the result last.
fn locate_libphp() -> PathBuf {
    let output = Command::new("libphp/build")
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("php-sys/libphp/build cannot be run: it needs bash");
    assert!(
        output.status.success(),
        "there is no libphp: php-sys/libphp/build failed, see above; LIBPHP_DIR names one that exists already"
    );
    let text = String::from_utf8(output.stdout).expect("the path of libphp is not UTF-8");
    let directory = text.lines().last().expect("php-sys/libphp/build printed no directory");
    PathBuf::from(directory)
}

/// What `nm` prints of the archive: a line for each symbol, which ends in its name.
fn defined_symbols(archive: &Path) -> Vec<u8> {
    let output = Command::new("nm")
        .args(["--extern-only", "--defined-only"])
        .arg(archive)
        .output()
        .expect("nm cannot be run: it comes with the linker (binutils)");
    output.stdout
}

fn compile_shim(include: &Path, symbols: &[u8]) {
    let has = |name: &[u8]| symbols.split(|byte| *byte == b'\n').any(|line| line.ends_with(name));
    let mut build = cc::Build::new();
    build
        .files(SHIM.map(|file| Path::new("shim").join(file)))
        // The code of an executable, as libphp's own is, so that PHP's thread-local storage is one load away.
        .pic(false)
        .flag("-fPIE")
        .flag("-fvisibility=hidden")
        .opt_level(2)
        .warnings(true)
        .extra_warnings(true)
        .define("ZEND_ENABLE_STATIC_TSRMLS_CACHE", "1");
    for directory in ["", "main", "Zend", "TSRM"] {
        // As system headers: their warnings are not ours.
        build.flag("-isystem").flag(include.join(directory).to_str().expect("the path of libphp is not UTF-8"));
    }
    // OPcache is a Zend extension, which the shim has to register, up to PHP 8.4.
    if has(b" zend_extension_entry") {
        build.define("EPHPM_OPCACHE_ZEND_EXTENSION", "1");
    }
    // A libphp that others have built lacks the command line.
    if has(b" php_cli_main") {
        build.define("EPHPM_PHP_CLI", "1");
    }
    build.compile("ephpm_shim");
}

fn generate_bindings() {
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("bindings.rs");
    bindgen::Builder::default()
        .header("shim/ephpm.h")
        .allowlist_item("ephpm_.*")
        .use_core()
        // A C function may return a number that is no variant: an integer newtype has no undefined behaviour then.
        .default_enum_style(bindgen::EnumVariation::NewType { is_bitfield: false, is_global: false })
        .prepend_enum_name(false)
        .layout_tests(true)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .generate()
        .expect("bindgen cannot read shim/ephpm.h: it needs libclang")
        .write_to_file(target)
        .expect("OUT_DIR can be written");
}

/// Turns the linker's arguments in link.txt into cargo's words, which reach whoever links in the end. Cargo has no
/// such word for other arguments than `-l` and `-L`: those are for this package's own targets, and become
/// `DEP_PHP_LINK_ARGS` for others, with spaces between.
fn link(libphp: &Path) {
    println!("cargo::rustc-link-search=native={}", libphp.join("lib").display());
    println!("cargo::rustc-link-lib=static:-bundle=php");

    let arguments = std::fs::read_to_string(libphp.join("link.txt")).expect("libphp has a link.txt");
    let mut others: Vec<_> = WRAPPED.map(|function| format!("-Wl,--wrap={function}")).to_vec();
    for argument in arguments.lines().map(str::trim).filter(|argument| !argument.is_empty()) {
        if let Some(name) = argument.strip_prefix("-l") {
            println!("cargo::rustc-link-lib=dylib={name}");
        } else if let Some(directory) = argument.strip_prefix("-L") {
            println!("cargo::rustc-link-search=native={directory}");
        } else {
            others.push(argument.to_owned());
        }
    }
    for argument in &others {
        println!("cargo::rustc-link-arg={argument}");
    }
    println!("cargo::metadata=link_args={}", others.join(" "));
}
