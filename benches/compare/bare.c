/*
 * What the kernel alone costs: an epoll loop that answers every request with the same bytes and looks at none of it.
 *
 *     bare PORT FILE
 *
 * It makes the system calls of a server that is edge-triggered (epoll_wait, recv, send) and does next to nothing else, and so
 * it tells, within a per cent or two, how much of such a server's time is the kernel's. A request is whatever ends in an
 * empty line; nothing is checked, nobody should use it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, REQUEST_BYTES_MAX = 16384, RESPONSE_BYTES_MAX = 65536, BACKLOG = 4096, CONNECTIONS_MAX = 65536 };

static const uint32_t EMPTY_LINE = 0x0d0a0d0a;

static char response[RESPONSE_BYTES_MAX];
static size_t response_len;
/* Of each connection, by its descriptor: the last four bytes received, since a request may come in pieces. */
static uint32_t last_bytes[CONNECTIONS_MAX];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void read_response(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file) {
		fail(path);
	}
	response_len = fread(response, 1, sizeof response, file);
	fclose(file);
}

static int listen_on(int port)
{
	int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	/* Connections inherit it. */
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one)
		|| setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one)
		|| bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, BACKLOG)) {
		fail("cannot listen");
	}
	return listener;
}

static void accept_all(int loop, int listener)
{
	int connection;
	while ((connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		/* Without EPOLLET the kernel would poll each again at the next epoll_wait. */
		struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = connection };
		if (connection >= CONNECTIONS_MAX || epoll_ctl(loop, EPOLL_CTL_ADD, connection, &event)) {
			fail("cannot watch a connection");
		}
		last_bytes[connection] = 0;
	}
}

/* One recv, one send. Nobody tells twice what there is: more may be left where the buffer is full, and the end behind it. */
static void answer(int connection, int is_over)
{
	char request[REQUEST_BYTES_MAX];
	ssize_t len;
	do {
		len = recv(connection, request, sizeof request, 0);
		for (ssize_t index = len > 4 ? len - 4 : 0; index < len; index++) {
			last_bytes[connection] = last_bytes[connection] << 8 | (unsigned char)request[index];
		}
		if (len == 0 || (len < 0 && errno != EAGAIN)
			|| (len > 0 && last_bytes[connection] == EMPTY_LINE
				&& send(connection, response, response_len, MSG_NOSIGNAL) != (ssize_t)response_len)) {
			close(connection);
			return;
		}
	} while (len == sizeof request || (is_over && len > 0));
}

int main(int count, char **words)
{
	if (count != 3) {
		fputs("bare: an epoll loop that answers everything with the bytes of a file\n", stderr);
		return 2;
	}
	read_response(words[2]);
	int listener = listen_on(atoi(words[1])), loop = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = listener }, events[EVENTS];
	if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event)) {
		fail("cannot watch the listener");
	}
	for (;;) {
		int found = epoll_wait(loop, events, EVENTS, -1);
		for (int index = 0; index < found; index++) {
			if (events[index].data.fd == listener) {
				accept_all(loop, listener);
			} else {
				answer(events[index].data.fd, events[index].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
			}
		}
	}
}
