/*
 * memory_limit, as it is set: zend_set_memory_limit() that finds memory in use above the new limit, but cached and not
 * needed, frees that and forgets to set the limit. What a script has raised would then hold for the next request of the
 * thread, and what it or a .user.ini lowers would not hold at all.
 */
#include "shim.h"

EPHPM_WRAPPED(zend_set_memory_limit);

/* After the first call there is nothing left to be freed, so that the second one does set it. */
zend_result __wrap_zend_set_memory_limit(size_t limit)
{
	zend_result set = __real_zend_set_memory_limit(limit);

	return set == SUCCESS ? __real_zend_set_memory_limit(limit) : set;
}
