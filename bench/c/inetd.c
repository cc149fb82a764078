/*
 * What inetd does with `nowait`, and nothing else: `inetd PORT PROGRAM WORDS…` starts the program for each connection,
 * which is its standard input and output. To compare the strategy `spawn` with.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  signal(SIGCHLD, SIG_IGN); /* The kernel is not to keep them for a wait(2). */
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 511) < 0) {
    perror("inetd");
    return 1;
  }
  puts("{\"event\":\"listening\"}");
  fflush(stdout);
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) continue;
    if (vfork() == 0) {
      signal(SIGCHLD, SIG_DFL);
      dup2(fd, 0);
      dup2(fd, 1);
      execv(argv[2], argv + 2);
      _exit(127);
    }
    close(fd);
  }
}
