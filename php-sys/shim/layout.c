/*
 * What the C compiler makes of the structs in ephpm.h, for the test that Rust's bindings make the same of them.
 */
#include "ephpm.h"

#define STRUCT(type) { #type, sizeof(type), _Alignof(type) }
#define FIELD(type, field) { #type "." #field, sizeof(((type *) NULL)->field), offsetof(type, field) }

static const ephpm_layout layouts[] = {
	STRUCT(ephpm_str),
	FIELD(ephpm_str, ptr),
	FIELD(ephpm_str, len),
	STRUCT(ephpm_var),
	FIELD(ephpm_var, name),
	FIELD(ephpm_var, value),
	STRUCT(ephpm_request),
	FIELD(ephpm_request, method),
	FIELD(ephpm_request, request_uri),
	FIELD(ephpm_request, query_string),
	FIELD(ephpm_request, content_type),
	FIELD(ephpm_request, cookie),
	FIELD(ephpm_request, authorization),
	FIELD(ephpm_request, path_translated),
	FIELD(ephpm_request, content_length),
	FIELD(ephpm_request, request_time),
	FIELD(ephpm_request, server),
	FIELD(ephpm_request, server_len),
	STRUCT(ephpm_sapi),
	FIELD(ephpm_sapi, ub_write),
	FIELD(ephpm_sapi, flush),
	FIELD(ephpm_sapi, send_headers),
	FIELD(ephpm_sapi, send_interim),
	FIELD(ephpm_sapi, read_post),
	FIELD(ephpm_sapi, finish_request),
	FIELD(ephpm_sapi, is_aborted),
	FIELD(ephpm_sapi, log_message),
	FIELD(ephpm_sapi, set_timeout),
	FIELD(ephpm_sapi, take_trace),
	STRUCT(ephpm_options),
	FIELD(ephpm_options, ini_path),
	FIELD(ephpm_options, ini_defaults),
	FIELD(ephpm_options, ini_defaults_len),
	FIELD(ephpm_options, ini_entries),
	FIELD(ephpm_options, executable_location),
	FIELD(ephpm_options, version),
	FIELD(ephpm_options, threads),
	FIELD(ephpm_options, environment),
	FIELD(ephpm_options, environment_len),
	STRUCT(ephpm_interrupt),
	FIELD(ephpm_interrupt, vm_interrupt),
	FIELD(ephpm_interrupt, timed_out),
	FIELD(ephpm_interrupt, thread),
	FIELD(ephpm_interrupt, flags),
	FIELD(ephpm_interrupt, frames),
	STRUCT(ephpm_memory),
	FIELD(ephpm_memory, peak),
	FIELD(ephpm_memory, held),
	STRUCT(ephpm_info),
	FIELD(ephpm_info, version),
	FIELD(ephpm_info, zend_version),
	FIELD(ephpm_info, version_id),
	FIELD(ephpm_info, zts),
	FIELD(ephpm_info, debug),
	FIELD(ephpm_info, opcache),
	FIELD(ephpm_info, force_restart_timeout),
	FIELD(ephpm_info, set_timeout),
	STRUCT(ephpm_extension),
	FIELD(ephpm_extension, name),
	FIELD(ephpm_extension, version),
	STRUCT(ephpm_io),
	STRUCT(ephpm_startup_result),
	STRUCT(ephpm_outcome),
	STRUCT(ephpm_restart),
};

const ephpm_layout *ephpm_layouts(size_t *len)
{
	*len = sizeof(layouts) / sizeof(layouts[0]);
	return layouts;
}
