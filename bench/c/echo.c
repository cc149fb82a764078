/*
 * The echo server that one writes first in C with epoll, to compare the runtimes with: `echo TRANSPORT ADDRESS`, as
 * `echo tcp 7000` or `echo unixgram /tmp/x.sock`. One system call for each message each way, nothing batched.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What a connection could not send yet; while there is some, nothing is read from it. */
struct connection {
  int fd;
  size_t first, length;
  unsigned char *rest;
};

static unsigned char buffer[64 * 1024];
static int epoll;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void watch(int operation, int fd, uint32_t events, void *data) {
  struct epoll_event event = {.events = events, .data.ptr = data};
  if (epoll_ctl(epoll, operation, fd, &event) < 0) die("epoll_ctl");
}

static void hang_up(struct connection *c) {
  close(c->fd);
  free(c->rest);
  free(c);
}

static void readable(struct connection *c) {
  ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return hang_up(c);
  ssize_t sent = send(c->fd, buffer, n, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return hang_up(c);
  if (sent < 0) sent = 0;
  if (sent == n) return;
  c->first = 0;
  c->length = n - sent;
  if (c->rest == NULL) c->rest = malloc(sizeof buffer);
  memcpy(c->rest, buffer + sent, c->length);
  watch(EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
}

static void writable(struct connection *c) {
  ssize_t sent = send(c->fd, c->rest + c->first, c->length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return hang_up(c);
  if (sent <= 0) return;
  c->first += sent;
  c->length -= sent;
  if (c->length == 0) watch(EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
}

static void incoming(int listener, bool tcp) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  int on = 1;
  if (tcp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct connection *c = calloc(1, sizeof *c);
  c->fd = fd;
  watch(EPOLL_CTL_ADD, fd, EPOLLIN, c);
}

/* One datagram and its answer. False: there is none. */
static bool datagram(int fd) {
  struct sockaddr_storage from;
  struct iovec part = {buffer, sizeof buffer};
  struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
  ssize_t n = recvmsg(fd, &message, 0);
  if (n < 0) return false;
  part.iov_len = n;
  sendmsg(fd, &message, 0);
  return true;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  bool local = strncmp(argv[1], "unix", 4) == 0;
  bool datagrams = strcmp(argv[1], "udp") == 0 || strcmp(argv[1], "unixgram") == 0;
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  snprintf(un.sun_path, sizeof un.sun_path, "%s", argv[2]);
  struct sockaddr *address = local ? (struct sockaddr *)&un : (struct sockaddr *)&in;
  int listener = socket(address->sa_family, (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int on = 1;
  if (!local && !datagrams) setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, address, local ? sizeof un : sizeof in) < 0) die("bind");
  if (!datagrams && listen(listener, 511) < 0) die("listen");
  epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
  puts("{\"event\":\"listening\"}");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[256];
    int n = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      if (c != NULL) events[i].events & EPOLLOUT ? writable(c) : readable(c);
      else if (!datagrams) incoming(listener, !local);
      else while (datagram(listener)) {}
    }
  }
}
