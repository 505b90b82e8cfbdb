# PHP <= 8.4 forces opcache to be a shared object after its option has been read; we link it in.
/^if test "\$PHP_OPCACHE" != "no"; then/,/HAVE_HUGE_CODE_PAGES/ s/ext_shared=yes/ext_shared=no/
