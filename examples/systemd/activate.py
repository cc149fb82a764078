"""What systemd does for portico-echo.socket: opens both sockets and becomes the command.

    python3 activate.py [--port PORT] COMMAND...
"""
import os
import socket
import sys

port, command = 7007, sys.argv[1:]
if command[:1] == ["--port"]:
    port, command = int(command[1]), command[2:]
tcp = socket.create_server(("127.0.0.1", port))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", tcp.getsockname()[1]))
print(f"listening on 127.0.0.1:{tcp.getsockname()[1]}", file=sys.stderr)
# First out of the way: one of them may have the number that the other is to get.
copies = [os.dup2(one.fileno(), 10 + i) for i, one in enumerate((tcp, udp))]
for i, one in enumerate(copies):
    os.dup2(one, 3 + i)
os.closerange(5, 20)
# exec keeps the number of the process, so the sockets are for the command.
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="echo:echo")
os.execvp(command[0], command)
