</main>
<footer><p>Made by a template, <?= number_format(strlen($title)) ?> letters of title.</p></footer>
</body>
</html>
