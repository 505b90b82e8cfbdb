<?php
/**
 * Uploaded pictures: kept outside the document root under names of our own, the newest few of them.
 */

declare(strict_types=1);

namespace Demo;

require_once __DIR__ . '/data.php';

/** Our own limit; php.ini may set a lower one. */
const PICTURE_BYTES_MAX = 4 << 20;

/** Older pictures make room for newer ones. */
const PICTURES_MAX = 12;

/** The types that are accepted, with the extension that each is stored under. */
const PICTURE_TYPES = [
    IMAGETYPE_PNG => 'png',
    IMAGETYPE_JPEG => 'jpg',
    IMAGETYPE_GIF => 'gif',
    IMAGETYPE_WEBP => 'webp',
];

const PICTURE_NAME = '/\A[0-9a-f]{32}\.(png|jpg|gif|webp)\z/';

/** What php.ini and we allow for one file, in bytes. */
function upload_bytes_max(): int
{
    return min(PICTURE_BYTES_MAX, ini_parse_quantity(ini_get('upload_max_filesize')));
}

/** Keeps one element of $_FILES. Its new name, or what is wrong with it. */
function keep_picture(array $file): array
{
    $problem = match ($file['error']) {
        UPLOAD_ERR_OK => null,
        UPLOAD_ERR_NO_FILE => 'Please choose a picture first.',
        UPLOAD_ERR_INI_SIZE, UPLOAD_ERR_FORM_SIZE => 'The file is larger than ' . bytes(upload_bytes_max()) . '.',
        UPLOAD_ERR_PARTIAL => 'The file arrived in part only. Please try again.',
        default => "PHP could not store the file (error {$file['error']}).",
    };
    if ($problem === null && $file['size'] > upload_bytes_max()) {
        $problem = 'The file is larger than ' . bytes(upload_bytes_max()) . '.';
    }
    // The type that the browser sent is a claim; the file's own bytes decide.
    $type = $problem === null ? (@getimagesize($file['tmp_name'])[2] ?? 0) : 0;
    if ($problem === null && !isset(PICTURE_TYPES[$type])) {
        $problem = 'The file is not a PNG, JPEG, GIF or WebP picture.';
    }
    if ($problem !== null) {
        return ['problem' => $problem];
    }
    $name = bin2hex(random_bytes(16)) . '.' . PICTURE_TYPES[$type];
    if (!move_uploaded_file($file['tmp_name'], data_directory('uploads') . "/$name")) {
        return ['problem' => 'The picture could not be stored.'];
    }
    forget_old_pictures();
    return ['name' => $name];
}

/** The path of a stored picture; null for a name that is not one. */
function picture_path(string $name): ?string
{
    $path = data_directory('uploads') . "/$name";
    return preg_match(PICTURE_NAME, $name) === 1 && is_file($path) ? $path : null;
}

/** Names of the stored pictures, newest first. */
function pictures(): array
{
    $times = [];
    foreach (scandir(data_directory('uploads')) as $name) {
        // Another request may be removing it at this moment.
        if (preg_match(PICTURE_NAME, $name) === 1 && ($time = @filemtime(data_directory('uploads') . "/$name"))) {
            $times[$name] = $time;
        }
    }
    arsort($times);
    return array_keys($times);
}

function forget_old_pictures(): void
{
    foreach (array_slice(pictures(), PICTURES_MAX) as $name) {
        @unlink(data_directory('uploads') . "/$name");
    }
}
