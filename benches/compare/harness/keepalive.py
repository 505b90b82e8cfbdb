"""The comparison with nginx + php-fpm over FastCGI connections that are kept open, with as many visitors as PHP processes."""

from . import compare

SERVERS = ["ephpm", "nginx-fpm-keepalive"]
SCENARIOS = "php-hello,php-10k,php-json"


def add_options(command):
    compare.add_options(command, scenarios=SCENARIOS, concurrency=4)


main = compare.main
