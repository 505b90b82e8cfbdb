<article id="note-<?= $post->id ?>"<?= $post->id % 2 ? ' class="odd"' : '' ?>>
<h2><a href="<?= h($post->path()) ?>"><?= h($post->title) ?></a></h2>
<p class="date"><?= $post->date() ?></p>
<p><?= h($post->summary()) ?></p>
<ul><?php foreach ($post->tags as $tag): ?><li><a href="/tags/<?= rawurlencode($tag) ?>"><?= h($tag) ?></a></li><?php endforeach ?></ul>
</article>
