# Up to 8.3 "shared" stands as a literal in the extension's own block, besides what opcache-static.sed changes.
/^  ext_builddir=ext\/opcache$/,/PHP_PECL_EXTENSION=opcache/ s/test "shared"/test "no"/g
