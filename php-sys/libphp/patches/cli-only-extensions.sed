# An extension that says it is for the command line only (pcntl, readline) is added to embed's list as well. But our
# embed is a server, where fork() and signal handlers would belong to all of its threads.
s/^\( *\)cgi|embed|phpdbg)/\1cgi|phpdbg)/
