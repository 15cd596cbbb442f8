#!/bin/sh
# Asterisk reads no environment: its configuration is written anew at each start, with this machine's name, password and port.
set -eu

# Of several passwords, while they are rotated, the newest comes first.
ASTERISK_PASSWORD="${ASTERISK_PASSWORD:-}"
password="${ASTERISK_PASSWORD%%,*}"
user="${ASTERISK_USERNAME:-}"
port="${PORT:-8080}"
run="${RUN_DIR:-/tmp/asterisk}"

refuse() {
	echo "Starting Asterisk: found $1; wanted $2." >&2
	exit 1
}
case "$user" in
'' | *[!A-Za-z0-9._-]*) refuse "ASTERISK_USERNAME \"$user\"" 'letters, digits, dots, dashes and underscores' ;;
esac
# What else a configuration file, a command below or HTTP might take for something of its own.
case "$password" in
'') refuse 'no ASTERISK_PASSWORD' 'the one that the gateway has' ;;
*[!A-Za-z0-9._~-]*) refuse 'an ASTERISK_PASSWORD with other characters' 'letters, digits, dots, dashes, tildes and underscores' ;;
esac
case "$port" in
'' | *[!0-9]*) refuse "PORT \"$port\"" 'a number' ;;
esac

umask 077
mkdir -p "$run/etc" "$run/spool" "$run/log"
for file in "${0%/*}"/conf/*.conf; do
	sed -e "s|@USERNAME@|$user|g" -e "s|@PASSWORD@|$password|g" -e "s|@PORT@|$port|g" -e "s|@RUN_DIR@|$run|g" \
		"$file" >"$run/etc/${file##*/}"
done
# The configuration has it now: no child needs it.
unset ASTERISK_PASSWORD
exec asterisk -f -C "$run/etc/asterisk.conf"
