<?php
switch ($_GET['case']) {
    case 'no-content':
        header('HTTP/1.1 204 No Content');
        echo json_encode(['i' => $_GET['i']]);
        flush();
        break;
    case 'not-modified':
        header('ETag: "x"', true, 304);
        echo 'body';
        break;
    case 'broken-line':
        header('HTTP/');
        echo 'fine';
        break;
    case 'teapot':
        header("HTTP/1.1 418 I'm a teapot");
        break;
    case 'third-argument':
        header('X-Created: yes', true, 201);
        break;
    case 'redirect':
        header("Location: /hello.php?i={$_GET['i']}", true, (int) $_GET['status']);
        break;
    case 'location':
        header("Location: /hello.php?i={$_GET['i']}");
        break;
    case 'json':
        header('Content-Type: application/json');
        echo '{}';
        break;
    case 'image':
        header('Content-Type: image/png');
        break;
    case 'type-removed':
        header('Content-Type: image/png');
        header_remove('Content-Type');
        break;
    case 'all-removed':
        header('X-A: 1');
        header_remove();
        break;
    case 'short':
        header('Content-Length: 5');
        echo '1234567';
        break;
    case 'split':
        header("X-A: 1\r\nX-B: 2");
        echo implode(' ', array_filter(headers_list(), fn($line) => str_starts_with($line, 'X-')));
        break;
    case 'late':
        echo 'x';
        flush();
        header('X-Late: 1');
        echo headers_sent($file, $line) ? basename($file) . $line : 'not sent';
        break;
    case 'callback':
        header_register_callback(fn() => header("X-Callback: {$_GET['i']}"));
        echo 'x';
        break;
    case 'buffers':
        ob_start(fn($text) => strtoupper($text));
        echo 'a';
        ob_start();
        echo 'b';
        ob_start(fn($text) => $text . $text);
        echo 'c';
        ob_end_flush();
        echo ob_get_level();
        break;
    case 'abuse':
        header('Transfer-Encoding: chunked');
        header('Connection: upgrade');
        header('Content-Length: nonsense');
        echo 'sane';
        break;
}
