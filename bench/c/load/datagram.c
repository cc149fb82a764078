/* Connected datagram sockets, of UDP or with a name in the file system, each with `depth` of them under way. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "traffic.h"

/* Datagrams of one system call. */
#define MOST 64

static unsigned char answers[MOST][65536];

static void open_datagram(struct traffic *t, struct peer *p) {
  p->fd = reach(t, p, true);
  want(t, p, EPOLLIN);
}

/* Sends what the room allows; the rest when there is some. */
static void send_rest(struct traffic *t, struct peer *p) {
  struct iovec part = {t->bytes, t->size};
  struct mmsghdr batch[MOST];
  memset(batch, 0, sizeof batch);
  for (int i = 0; i < MOST; i++) batch[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
  while (p->unsent > 0) {
    int n = p->unsent == 1 ? (send(p->fd, t->bytes, t->size, MSG_DONTWAIT) < 0 ? -1 : 1)
                           : sendmmsg(p->fd, batch, p->unsent < MOST ? p->unsent : MOST, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) fail("send: %s", strerror(errno));
    p->unsent -= n;
    p->unread += n;
  }
  want(t, p, p->unsent > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void fire_datagram(struct traffic *t, struct peer *p) {
  p->unsent = t->depth;
  send_rest(t, p);
}

/* Of several under way each answer is asked again at once: the socket is busy until the time is over. */
static void ready_datagram(struct traffic *t, struct peer *p, uint32_t events) {
  (void)events;
  struct iovec parts[MOST];
  struct mmsghdr batch[MOST];
  for (int i = 0; i < MOST; i++) {
    parts[i] = (struct iovec){answers[i], sizeof answers[i]};
    batch[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
  }
  int n = recvmmsg(p->fd, batch, MOST, MSG_DONTWAIT, NULL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) fail("recv: %s", strerror(errno));
  if (n <= 0) n = 0;
  for (int i = 0; i < n; i++) {
    if (batch[i].msg_len != t->size) fail("a datagram of %u bytes came back", batch[i].msg_len);
    if (memcmp(answers[i], t->bytes, t->size) != 0) fail("a datagram came back that was not sent");
  }
  if ((size_t)n > p->unread) fail("more datagrams came back than were sent");
  p->unread -= n;
  if (t->rate > 0 || t->depth == 1) {
    if (n > 0 && p->unread == 0 && p->unsent == 0) finish(t, p, t->depth);
    return;
  }
  t->messages += n;
  if (!t->over) p->unsent += n;
  else p->unsent = 0;
  if (p->unsent > 0) send_rest(t, p);
  if (t->over && p->busy && p->unread == 0) finish(t, p, 0);
}

const struct kind DATAGRAM = {"datagram", open_datagram, fire_datagram, ready_datagram, NULL};
