/* A connection for each message: connect, ask, read the answer, end our side, wait for the server's end, close. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "traffic.h"

static void open_nothing(struct traffic *t, struct peer *p) {
  (void)t;
  p->fd = -1;
}

static void fire_connect(struct traffic *t, struct peer *p) {
  p->wants = 0;
  p->unsent = p->unread = t->size;
  p->fd = reach(t, p, false);
  want(t, p, EPOLLIN | EPOLLOUT);
}

/* The peer's end is waited for as well: only then has the server closed it. */
static void ready_connect(struct traffic *t, struct peer *p, uint32_t events) {
  if (events & EPOLLOUT && p->unsent > 0) {
    ssize_t n = send(p->fd, t->bytes + (t->size - p->unsent), p->unsent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) fail("connect: %s", strerror(errno));
    if (n > 0) p->unsent -= n;
    if (p->unsent == 0) want(t, p, EPOLLIN);
  }
  if (!(events & ~(uint32_t)EPOLLOUT)) return;
  unsigned char bytes[16 * 1024];
  ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n < 0) fail("recv: %s", strerror(errno));
  if (n > 0) {
    if ((size_t)n > p->unread) fail("%zu bytes more than were sent", n - p->unread);
    p->unread -= n;
    if (p->unread == 0) shutdown(p->fd, SHUT_WR);
    return;
  }
  if (p->unread > 0) fail("a connection ended %zu bytes too early", p->unread);
  close(p->fd);
  p->fd = -1;
  finish(t, p, 1);
}

const struct kind CONNECT = {"connect", open_nothing, fire_connect, ready_connect, NULL};
