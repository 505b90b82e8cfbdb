"""The comparison with lighttpd, which is at its best with files."""

from . import compare

SERVERS = ["ephpm", "lighttpd-fpm"]


def add_options(command):
    compare.add_options(command, scenarios="static-1k,static-100k,static-304")


main = compare.main
