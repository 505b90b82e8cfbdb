<?php
// An API: make records, choose by the query, sort, encode.
$colours = ['red', 'green', 'blue'];
$items = [];
for ($id = 1; $id <= 90; $id++) {
    $items[] = [
        'id' => $id,
        'name' => ucfirst($colours[$id % 3]) . " item no. $id",
        'price' => round(10 + ($id * 37 % 101) / 7, 2),
        'tags' => [$colours[$id % 3], $id % 2 ? 'odd' : 'even'],
        'stock' => ['count' => $id * 13 % 50, 'ordered' => $id % 5 === 0],
    ];
}
$tag = $_GET['tag'] ?? 'red';
$chosen = array_values(array_filter($items, fn(array $item): bool => in_array($tag, $item['tags'], true)));
usort($chosen, fn(array $a, array $b): int => $a['price'] <=> $b['price']);
$chosen = array_slice($chosen, 0, (int) ($_GET['limit'] ?? 10));

header('Content-Type: application/json');
echo json_encode(['tag' => $tag, 'count' => count($chosen), 'items' => $chosen]);
