/* Connections that stay open: echo of messages one burst after the other, and as fast as it goes. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "traffic.h"

static unsigned char sink[256 * 1024];

static void open_stream(struct traffic *t, struct peer *p) {
  p->fd = reach(t, p, true);
  want(t, p, EPOLLIN);
}

/* Reads once. 0: nothing is there. */
static size_t take(struct peer *p) {
  ssize_t n = recv(p->fd, sink, sizeof sink, MSG_DONTWAIT);
  if (n > 0) return n;
  if (n == 0) fail("the server has closed a connection");
  if (errno != EAGAIN && errno != EINTR) fail("recv: %s", strerror(errno));
  return 0;
}

static size_t give(struct peer *p, const unsigned char *bytes, size_t length) {
  ssize_t n = send(p->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0) return n;
  if (errno != EAGAIN && errno != EINTR) fail("send: %s", strerror(errno));
  return 0;
}

/* Echo: a burst of `depth` messages, and when all of it is back, the next. */

static void send_rest(struct traffic *t, struct peer *p) {
  size_t whole = t->size * t->depth;
  p->unsent -= give(p, t->bytes + (whole - p->unsent), p->unsent);
  want(t, p, p->unsent > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void fire_echo(struct traffic *t, struct peer *p) {
  p->unsent = p->unread = t->size * t->depth;
  send_rest(t, p);
}

static void ready_echo(struct traffic *t, struct peer *p, uint32_t events) {
  if ((events & EPOLLOUT) && p->unsent > 0) send_rest(t, p);
  if (!(events & ~(uint32_t)EPOLLOUT)) return;
  size_t n = take(p);
  if (n > p->unread) fail("%zu bytes more than were sent", n - p->unread);
  p->unread -= n;
  if (n > 0 && p->unread == 0) finish(t, p, t->depth);
}

const struct kind ECHO = {"echo", open_stream, fire_echo, ready_echo, NULL};

/* Bulk: writes while there is room, reads whatever comes; a message is a MiB that has come back. */

static void fire_bulk(struct traffic *t, struct peer *p) {
  p->sent = p->received = 0;
  want(t, p, EPOLLIN | EPOLLOUT);
}

static void ready_bulk(struct traffic *t, struct peer *p, uint32_t events) {
  if ((events & EPOLLOUT) && !t->over) p->sent += give(p, t->bytes, t->size);
  if (events & ~(uint32_t)EPOLLOUT) p->received += take(p);
  if (p->received > p->sent) fail("more has come back than was sent");
  if (!t->over || !p->busy || p->received < p->sent) return;
  t->messages += p->received / 1048576.0;
  finish(t, p, 0);
}

static void over_bulk(struct traffic *t, struct peer *p) {
  want(t, p, EPOLLIN);
  if (p->busy) ready_bulk(t, p, 0);
}

const struct kind BULK = {"bulk", open_stream, fire_bulk, ready_bulk, over_bulk};
