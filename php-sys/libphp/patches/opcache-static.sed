# PHP <= 8.4 forces opcache to be a shared object after its option has been read; we link it in.
/^if test "\$PHP_OPCACHE" != "no"; then/,/HAVE_HUGE_CODE_PAGES/ s/ext_shared=yes/ext_shared=no/
# It is an extension of the engine, not a module: it must not be in the list of modules that start by themselves.
s/^\( *\)EXT_\(CLI_\)*STATIC="\$EXT_\(CLI_\)*STATIC opcache;\$ext_dir"/\1:/
