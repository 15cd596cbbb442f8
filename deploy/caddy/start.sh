#!/bin/sh
# Caddy takes an empty address for a syntax error, and one that ends in / for a site of a single page.
PUBLIC_URL="${PUBLIC_URL%/}"
case "$PUBLIC_URL" in
https://*) ;;
*)
	echo "Starting the web server: PUBLIC_URL is \"$PUBLIC_URL\"; wanted an origin such as https://voice.example.com." >&2
	exit 1
	;;
esac
export PUBLIC_URL
exec caddy run --config /etc/caddy/Caddyfile --adapter caddyfile
