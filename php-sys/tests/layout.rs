//! The bindings lay structs out as the C compiler does: libclang made the one, the C compiler the other.
#![allow(unsafe_code, reason = "these tests are the callers of a C interface")]

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::mem::{align_of, offset_of, size_of};

use php_sys::*;

/// Collects `name -> (size, alignment)` of structs and `name.field -> (size, offset)` of fields.
macro_rules! layouts {
    ($($type:ident { $($field:ident: $field_type:ty),* $(,)? })*) => {{
        let mut layouts = BTreeMap::new();
        $(
            layouts.insert(stringify!($type).to_owned(), (size_of::<$type>(), align_of::<$type>()));
            $(
                // Fails to compile when the type is not the field's.
                let _: fn(&$type) -> &$field_type = |value| &value.$field;
                let name = concat!(stringify!($type), ".", stringify!($field)).to_owned();
                layouts.insert(name, (size_of::<$field_type>(), offset_of!($type, $field)));
            )*
        )*
        layouts
    }};
}

type Text = *const std::ffi::c_char;
type Callback<T> = Option<T>;
type Exchange = *mut std::ffi::c_void;

#[test]
fn structs_are_laid_out_as_in_c() {
    let in_rust = layouts! {
        ephpm_str { ptr: Text, len: usize }
        ephpm_var { name: ephpm_str, value: ephpm_str }
        ephpm_vars { ptr: *const ephpm_var, len: usize }
        ephpm_request {
            method: Text, request_uri: Text, query_string: Text, content_type: Text, cookie: Text, authorization: Text,
            path_translated: Text, content_length: i64, request_time: f64,
        }
        ephpm_sapi {
            ub_write: Callback<unsafe extern "C" fn(Exchange, Text, usize) -> ephpm_io>,
            flush: Callback<unsafe extern "C" fn(Exchange) -> ephpm_io>,
            send_headers: Callback<unsafe extern "C" fn(Exchange, i32, ephpm_str, *const ephpm_str, usize)>,
            send_interim: Callback<unsafe extern "C" fn(Exchange, i32, *const ephpm_str, usize)>,
            read_post: Callback<unsafe extern "C" fn(Exchange, *mut std::ffi::c_char, usize) -> usize>,
            finish_request: Callback<unsafe extern "C" fn(Exchange)>,
            is_aborted: Callback<unsafe extern "C" fn(Exchange) -> bool>,
            server_variables: Callback<unsafe extern "C" fn(Exchange) -> ephpm_vars>,
            log_message: Callback<unsafe extern "C" fn(Exchange, i32, Text, usize)>,
            set_timeout: Callback<unsafe extern "C" fn(Exchange, i64, i64)>,
            take_trace: Callback<unsafe extern "C" fn(Exchange, Text, usize)>,
        }
        ephpm_options {
            ini_path: Text, ini_defaults: *const ephpm_var, ini_defaults_len: usize, ini_entries: Text,
            executable_location: Text, version: Text, threads: u32,
            environment: *const ephpm_var, environment_len: usize,
        }
        ephpm_interrupt {
            vm_interrupt: *mut std::ffi::c_void, timed_out: *mut std::ffi::c_void, thread: usize,
            flags: *mut std::ffi::c_void, frames: *mut std::ffi::c_void,
        }
        ephpm_memory { peak: usize, held: usize }
        ephpm_opcache_figures {
            memory_used: u64,
            memory_free: u64,
            memory_wasted: u64,
            strings_used: u64,
            strings_free: u64,
            strings: u64,
            scripts: u64,
            keys: u64,
            keys_max: u64,
            hits: u64,
            misses: u64,
            restarts_out_of_memory: u64,
            restarts_hash_overflow: u64,
            restarts_reset: u64,
            restart_pending: bool,
            is_full: bool,
        }
        ephpm_info {
            version: Text, zend_version: Text, version_id: u32, zts: bool, debug: bool, opcache: bool,
            force_restart_timeout: i64,
            set_timeout: bool,
        }
        ephpm_extension { name: Text, version: Text }
        ephpm_io {}
        ephpm_startup_result {}
        ephpm_outcome {}
        ephpm_restart {}
    };
    assert_eq!(in_rust, in_c());
}

fn in_c() -> BTreeMap<String, (usize, usize)> {
    let mut len = 0;
    // SAFETY: a constant table of `len` entries, whose names are constant strings.
    unsafe {
        let layouts = std::slice::from_raw_parts(ephpm_layouts(&mut len), len);
        layouts
            .iter()
            .map(|layout| (CStr::from_ptr(layout.name).to_string_lossy().into_owned(), (layout.size, layout.place)))
            .collect()
    }
}
