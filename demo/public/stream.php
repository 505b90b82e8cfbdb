<?php
/**
 * A page that arrives line by line: /stream.php?lines=10&pause_ms=300.
 */

declare(strict_types=1);

namespace Demo;

require __DIR__ . '/../lib/page.php';
require __DIR__ . '/../lib/stream.php';

allow_methods('GET', 'HEAD');
$lines = whole_number($_GET, 'lines', 10, 1, 50);
$pause_ms = whole_number($_GET, 'pause_ms', 300, 0, 1000);

if (isset($_GET['lines'])) {
    stream_begin();
}
page_begin('Streaming', 'Each line leaves by flush() while the script is still running.');
?>
  <form action="/stream.php" method="get" id="stream">
    <div class="row">
      <div><label for="lines">Lines</label> <input id="lines" name="lines" type="number" min="1" max="50" value="<?= $lines ?>"></div>
      <div><label for="pause_ms">Pause in ms</label> <input id="pause_ms" name="pause_ms" type="number" min="0" max="1000" value="<?= $pause_ms ?>"></div>
      <button>Start</button>
    </div>
  </form>
<?php if (isset($_GET['lines'])): ?>
  <h2>As HTML</h2>
  <ol class="lines" aria-live="polite">
<?php
    for ($line = 1; $line <= $lines; $line++) {
        stream_send(sprintf("    <li>Line %d of %d at %s</li>\n", $line, $lines, date('H:i:s')), $line < $lines ? $pause_ms : 0);
    }
?>
  </ol>
  <p>That was all.</p>
<?php else: ?>
  <h2>As events</h2>
  <p>The same by <a href="/events.php?pause_ms=<?= $pause_ms ?>">server-sent events</a>.</p>
  <ol class="lines" id="events" aria-live="polite" data-source="/events.php"></ol>
  <script src="/assets/events.js" defer></script>
<?php endif;
page_end();
