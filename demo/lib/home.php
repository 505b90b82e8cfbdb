<?php
/**
 * The start page: what is running here.
 */

declare(strict_types=1);

namespace Demo;

/** The threads of this process by name, and the one that runs this script: Linux tells. */
function threads(): array
{
    $name_of = static fn (string $task): string => trim((string) @file_get_contents("$task/comm"));
    $names = array_map($name_of, @glob('/proc/self/task/*', GLOB_ONLYDIR) ?: []);
    return ['this' => $name_of('/proc/thread-self'), 'all' => $names];
}

/** What OPcache says about itself. */
function opcache_facts(): array
{
    // Where opcache.restrict_api is set, asking would be a warning.
    $status = function_exists('opcache_get_status') && ini_get('opcache.restrict_api') === '' ? opcache_get_status(false) : false;
    if ($status === false || !$status['opcache_enabled']) {
        return ['OPcache' => 'off'];
    }
    $statistics = $status['opcache_statistics'];
    $memory = $status['memory_usage'];
    return [
        'OPcache' => 'on',
        'Cached scripts' => number_format($statistics['num_cached_scripts']),
        'Hits and misses' => number_format($statistics['hits']) . ' and ' . number_format($statistics['misses']),
        'Memory' => bytes($memory['used_memory']) . ' used, ' . bytes($memory['free_memory']) . ' free',
        'JIT' => ($status['jit']['on'] ?? false) ? 'on' : 'off',
    ];
}

function engine_facts(): array
{
    $threads = threads();
    return [
        'Server' => $_SERVER['SERVER_SOFTWARE'] ?? 'unknown',
        'Protocol' => $_SERVER['SERVER_PROTOCOL'],
        'PHP' => PHP_VERSION . ' (Zend Engine ' . zend_version() . ')',
        'SAPI' => PHP_SAPI,
        'Thread safety' => PHP_ZTS ? 'ZTS' : 'NTS',
        'System' => php_uname('s') . ' ' . php_uname('m'),
        'Process' => (string) getmypid(),
        'Threads' => count($threads['all']) . ($threads['this'] === '' ? '' : ", this page by “{$threads['this']}”"),
        'Memory of this page' => bytes(memory_get_peak_usage()),
        'Memory limit' => ini_get('memory_limit'),
    ];
}

$extensions = get_loaded_extensions();
natcasesort($extensions);

page_begin('It works', 'One binary answers this page: an HTTP server and the PHP engine in one process.');
?>
  <img class="banner" src="/assets/hills.jpg" width="960" height="320" alt="Blue hills, one behind the other, under a pale sun">
  <div class="columns">
<?php facts('The engine', engine_facts()) ?>
<?php facts('The opcode cache', opcache_facts()) ?>
  </div>

  <h2>Look around</h2>
  <ul class="cards">
    <li><a href="/form.php">Form</a> GET and POST, old values kept, a token against forgery.</li>
    <li><a href="/upload.php">Upload</a> A picture goes up, its preview comes back.</li>
    <li><a href="/guestbook.php">Guest book</a> SQLite through PDO; what you write stays.</li>
    <li><a href="/stream.php">Streaming</a> Lines that arrive while the script is still running.</li>
    <li><a href="/hello/World">Pretty URL</a> No such file: <code>index.php</code> answers.</li>
    <li><a href="/no/such/page">Not found</a> Neither a file nor a route: a real 404.</li>
    <li><a href="/environment.php">Environment</a> All of <code>$_SERVER</code>, for this machine only.</li>
    <li><a href="/.well-known/security.txt">security.txt</a> The one directory with a dot that is served.</li>
  </ul>

  <details>
    <summary><?= count($extensions) ?> extensions</summary>
    <p><?= e(implode(', ', $extensions)) ?></p>
  </details>
<?php
page_end();
