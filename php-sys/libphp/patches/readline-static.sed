# The interactive shell looks up the command line's hooks by name, as a shared extension has to. We link both into one
# program, which exports no such names.
s/dlsym(RTLD_DEFAULT, "php_cli_get_shell_callbacks")/php_cli_get_shell_callbacks/
