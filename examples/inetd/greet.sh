#!/bin/sh
# Greets whoever says a name, line by line, until they say bye. What goes to stderr is logged.
echo "$GREETING${REMOTE_HOST:+, $REMOTE_HOST}. What is your name?"
while read -r name; do
  case $name in
    bye)
      echo "Good bye."
      exit 0
      ;;
    '')
      echo "somebody without a name" >&2
      echo "Everybody has a name."
      ;;
    *)
      echo "Pleased to meet you, $name."
      ;;
  esac
done
# The peer has left without a word.
exit 1
