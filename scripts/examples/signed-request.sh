#!/bin/sh
# Prints an HTTP request that is signed as profile kmc-gw-v1 of RFC 9421 wants it. Needs a shell and the openssl program (3.0).
#
#   signed-request.sh METHOD AUTHORITY TARGET KEY CERT [BODY [NONCE]]
#
# METHOD     GET or POST
# AUTHORITY  host:port as the service is called; without the port where it is 443
# TARGET     path, with a query or without one
# KEY, CERT  private key (PEM, as openssl reads it; kmc admin convert-key writes one) and its certificate: SM2, RSA or ECDSA P-256
# BODY       file with the JSON body, or an empty word for none
# NONCE      of the service, from Accept-Signature or POST /api/v1/auth/challenges, where a call takes one
# PASSIN     in the environment: where openssl finds the passphrase of the key, e.g. file:/path
#
# Send it over HTTPS with openssl too:
#   signed-request.sh GET kmc.example:8443 /api/v1/keystore key.pem crt.pem |
#     openssl s_client -quiet -verify_quiet -CAfile transport-root.pem -connect kmc.example:8443
set -eu

method=$1 authority=$2 target=$3 key=$4 cert=$5 body=${6:-} nonce=${7:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# r and s of a DER signature as 64 octets.
raw_of() {
  openssl asn1parse -inform DER -in "$1" | sed -n 's/.*INTEGER *:\(.*\)$/\1/p' | while read -r number; do
    hex=$(printf '%64s' "$number" | tr ' ' 0)
    while [ -n "$hex" ]; do
      rest=${hex#??}
      printf "\\$(printf '%03o' "0x${hex%"$rest"}")"
      hex=$rest
    done
  done
}

path=${target%%\?*}
query='?'
[ "$path" = "$target" ] || query="?${target#*\?}"
created=$(date +%s)
[ -n "$nonce" ] || nonce=$(openssl rand 18 | base64url)
keyid="sm3:$(openssl x509 -in "$cert" -outform DER | openssl dgst -sm3 -binary | base64url)"

components='("@method" "@authority" "@path" "@query"'
if [ -n "$body" ]; then
  digest="sm3=:$(openssl dgst -sm3 -binary "$body" | openssl base64 -A):"
  components="$components \"content-type\" \"content-digest\""
fi
params="$components);created=$created;expires=$((created + 120));nonce=\"$nonce\";keyid=\"$keyid\";tag=\"kmc-gw-v1\""

{
  printf '"@method": %s\n"@authority": %s\n"@path": %s\n"@query": %s\n' "$method" "$authority" "$path" "$query"
  [ -z "$body" ] || printf '"content-type": application/json\n"content-digest": %s\n' "$digest"
  printf '"@signature-params": %s' "$params"
} > "$work/base"

set -- ${PASSIN:+-passin "$PASSIN"}
case $(openssl x509 -in "$cert" -noout -pubkey | openssl pkey -pubin -outform DER | openssl asn1parse -inform DER) in
*:sm2*)
  openssl pkeyutl -sign -inkey "$key" "$@" -rawin -in "$work/base" -digest sm3 \
    -pkeyopt distid:1234567812345678 -out "$work/der"
  raw_of "$work/der" > "$work/signature" ;;
*:prime256v1*)
  openssl dgst -sha256 -sign "$key" "$@" -out "$work/der" "$work/base"
  raw_of "$work/der" > "$work/signature" ;;
*)
  openssl dgst -sha256 -sign "$key" "$@" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 \
    -out "$work/signature" "$work/base" ;;
esac

printf '%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n' "$method" "$target" "$authority"
printf 'Signature-Input: gw=%s\r\nSignature: gw=:%s:\r\n' "$params" "$(openssl base64 -A -in "$work/signature")"
if [ -n "$body" ]; then
  length=$(wc -c < "$body" | tr -d ' ')
  printf 'Content-Type: application/json\r\nContent-Digest: %s\r\nContent-Length: %s\r\n' "$digest" "$length"
fi
printf '\r\n'
[ -z "$body" ] || cat "$body"
