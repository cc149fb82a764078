#!/bin/sh
# An authority of one's own, a server's certificate and a client's: three commands of openssl 3, in this folder.
set -e
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
  -subj "/CN=An authority of my own" -keyout ca.key -out ca.crt
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -CA ca.crt -CAkey ca.key \
  -subj "/CN=localhost" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
  -addext "basicConstraints=critical,CA:FALSE" -keyout server.key -out server.crt
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -CA ca.crt -CAkey ca.key \
  -subj "/CN=alice" -addext "extendedKeyUsage=clientAuth" \
  -addext "basicConstraints=critical,CA:FALSE" -keyout client.key -out client.crt
