<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title><?= h($title) ?></title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header><h1><?= h($title) ?></h1><p><?= count($posts) ?> notes</p></header>
<main>
