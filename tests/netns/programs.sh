# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared between the sourced files
# The real programs at both ends of the network: nginx and curl, OpenVPN, WireGuard, sshd and ssh, and scans. Sourced
# by lib.sh. Tunnels lead to a plain web page on the server, so that "the tunnel works" means a page came through it.

openvpn_inner=10.8.0.1
wireguard_inner=10.9.0.1
authorised_inner=10.10.0.1
download_bytes=${SPIDD_TEST_DOWNLOAD_BYTES:-8388608}

start_servers() {
  mkdir -p "$work/pki" "$work/site"
  make_certificates
  start_web
  start_sshd
  start_openvpn_server
  make_wireguard_keys wgo wgc authorised-server authorised-client
  start_wireguard_server wgs "$wireguard_inner" 53 wgo wgc
  start_wireguard_server wgas "$authorised_inner" 51820 authorised-server authorised-client
}

# --- certificates

make_certificates() {
  local pki=$work/pki
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/O=Example/CN=Example CA" \
    -keyout "$pki/ca.key" -out "$pki/ca.crt" 2>"$work/openssl.log"
  make_certificate web.example.test serverAuth
  make_certificate vpn.example.test serverAuth
  make_certificate laptop.example.test clientAuth
}

make_certificate() {
  local name=$1 usage=$2 pki=$work/pki
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/O=Example/CN=$name" \
    -keyout "$pki/$name.key" -out "$pki/$name.csr" 2>>"$work/openssl.log"
  openssl x509 -req -in "$pki/$name.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 30 \
    -out "$pki/$name.crt" 2>>"$work/openssl.log" \
    -extfile <(printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\nsubjectAltName=DNS:%s\n' \
      "$usage" "$name")
}

# --- HTTPS

start_web() {
  head -c "$download_bytes" /dev/urandom >"$work/site/download"
  echo "hello through the tunnel" >"$work/site/hello"
  cat >"$work/nginx.conf" <<CONF
daemon off;
worker_processes 1;
user root;
pid $work/nginx.pid;
error_log $work/nginx-errors.log;
events { worker_connections 128; }
http {
  access_log off;
  client_body_temp_path $work/nginx-body;
  proxy_temp_path $work/nginx-proxy;
  fastcgi_temp_path $work/nginx-fastcgi;
  uwsgi_temp_path $work/nginx-uwsgi;
  scgi_temp_path $work/nginx-scgi;
  server {
    listen $web_host:443 ssl;
    listen [$web_host6]:443 ssl;
    listen 80;
    root $work/site;
    ssl_certificate $work/pki/web.example.test.crt;
    ssl_certificate_key $work/pki/web.example.test.key;
  }
}
CONF
  spawn nginx server /usr/sbin/nginx -e "$work/nginx-errors.log" -c "$work/nginx.conf"
  wait_for 10 "nginx serves" in_ns server curl -sf -o /dev/null "http://$web_host/hello"
}

# https_download [NAMESPACE [ADDRESS]]: the whole file and nothing but the file must arrive.
https_download() {
  local ns=${1:-client} address=${2:-$web_host}
  in_ns "$ns" curl -sS --fail --max-time $((30 * patience)) --cacert "$work/pki/ca.crt" \
    --connect-to "web.example.test:443:[$address]:443" -o "$work/downloaded" https://web.example.test/download &&
    cmp -s "$work/site/download" "$work/downloaded"
}

# --- SSH

start_sshd() {
  mkdir -p /run/sshd
  ssh-keygen -q -t ed25519 -N "" -f "$work/host_key"
  ssh-keygen -q -t ed25519 -N "" -f "$work/user_key"
  cat >"$work/sshd.conf" <<CONF
ListenAddress $ssh_host:22
ListenAddress $ssh_host:443
HostKey $work/host_key
AuthorizedKeysFile $work/user_key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
ForceCommand /bin/sh
PidFile none
UseDNS no
PrintMotd no
PrintLastLog no
CONF
  spawn sshd server /usr/sbin/sshd -D -e -f "$work/sshd.conf"
  wait_for 10 "sshd listens" log_says sshd "Server listening"
}

# ssh_session LOG KEYS...: an interactive session on a pseudo terminal; each KEYS line is typed key by key. KEYS "-wait FILE"
# keeps the session open until FILE exists. True if the shell has done what was typed. $ssh_port, if it is not 22;
# $ssh_seconds: how long it may last (60).
# shellcheck disable=SC2094,SC2016 # the log is read until the prompt is there; the shell at the other end expands
ssh_session() {
  local log=$1
  shift
  type_keys "$log" "$@" 'echo typed-$((6 * 7))' exit |
    in_ns client timeout $((${ssh_seconds:-60} * patience)) ssh -tt -i "$work/user_key" -o StrictHostKeyChecking=no -o ConnectTimeout=10 \
      -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -p "${ssh_port:-22}" "root@$ssh_host" >"$log" 2>&1 || true
  grep -q 'typed-42' "$log"
}

type_keys() {
  local log=$1 line i deadline=$((SECONDS + 20 * patience))
  shift
  # The prompt. A session that is blocked before it never comes.
  until [ -s "$log" ] || ((SECONDS > deadline)); do sleep 0.05; done
  for line in "$@"; do
    if [[ $line == "-wait "* ]]; then
      until [ -e "${line#-wait }" ] || ((SECONDS > deadline + 40 * patience)); do sleep 0.05; done
      continue
    fi
    for ((i = 0; i < ${#line}; i++)); do
      printf '%s' "${line:i:1}"
      sleep 0.03
    done
    printf '\r'
    sleep 0.1
  done
}

# --- OpenVPN

start_openvpn_server() {
  openvpn_common=(--verb 3 --dev-type tun --persist-key --data-ciphers AES-256-GCM:CHACHA20-POLY1305 --auth SHA256
    --tls-version-min 1.2 --keepalive 3 30 --ca "$work/pki/ca.crt")
  spawn openvpn-server server openvpn "${openvpn_common[@]}" --dev ovs --mode server --tls-server --topology subnet \
    --proto tcp4-server --local "$openvpn_host" --port 443 --ifconfig "$openvpn_inner" 255.255.255.0 \
    --ifconfig-pool 10.8.0.10 10.8.0.200 --push "topology subnet" --push "route-gateway $openvpn_inner" --dh none \
    --cert "$work/pki/vpn.example.test.crt" --key "$work/pki/vpn.example.test.key"
  wait_for 10 "the OpenVPN server is up" log_says openvpn-server "Initialization Sequence Completed"
}

openvpn_connect() {
  stop openvpn-client
  spawn openvpn-client client openvpn "${openvpn_common[@]}" --dev ovc --client --nobind --proto tcp4-client \
    --remote "$openvpn_host" 443 --connect-timeout 5 --connect-retry 1 2 --remote-cert-tls server \
    --cert "$work/pki/laptop.example.test.crt" --key "$work/pki/laptop.example.test.key"
}

# --- WireGuard (the userspace wireguard-go: needs no kernel module)

make_wireguard_keys() (
  umask 077
  for name in "$@"; do
    wg genkey >"$work/$name.key"
    wg pubkey <"$work/$name.key" >"$work/$name.pub"
  done
)

# start_wireguard NAME NAMESPACE ADDRESS CONFIGURATION: interface and log are called NAME.
start_wireguard() {
  local name=$1 ns=$2 address=$3 configuration=$4
  LOG_LEVEL=error WG_PROCESS_FOREGROUND=1 spawn "$name" "$ns" wireguard-go --foreground "$name"
  wait_for 10 "wireguard-go has made $name" test -S "/run/wireguard/$name.sock"
  in_ns "$ns" wg setconf "$name" <(printf '%b' "$configuration")
  ip -n "$ns" address add "$address/24" dev "$name"
  ip -n "$ns" link set "$name" mtu 1420 up
}

# start_wireguard_server NAME ADDRESS PORT OWN_KEY PEER_KEY
start_wireguard_server() {
  start_wireguard "$1" server "$2" "[Interface]\nPrivateKey = $(cat "$work/$4.key")\nListenPort = $3\n[Peer]\nPublicKey = \
$(cat "$work/$5.pub")\nAllowedIPs = ${2%.*}.2/32\n"
}

# start_wireguard_client NAME INNER_ADDRESS_OF_SERVER ENDPOINT OWN_KEY PEER_KEY
start_wireguard_client() {
  stop "$1"
  start_wireguard "$1" client "${2%.*}.2" "[Interface]\nPrivateKey = $(cat "$work/$4.key")\n[Peer]\nPublicKey = \
$(cat "$work/$5.pub")\nAllowedIPs = ${2%.*}.0/24\nEndpoint = $3\nPersistentKeepalive = 5\n"
}

wireguard_connect() { start_wireguard_client wgc "$wireguard_inner" "$wireguard_host:53" wgc wgo; }
wireguard_connect6() { start_wireguard_client wgc "$wireguard_inner" "[$wireguard_host6]:53" wgc wgo; }
authorised_connect() {
  start_wireguard_client wgac "$authorised_inner" "$authorised_host:51820" authorised-client authorised-server
}

# tunnel_works INNER_ADDRESS: a page comes through the tunnel. A stuck connection is given up soon and tried anew.
tunnel_works() {
  in_ns client curl -sf --max-time 3 -o "$work/page" "http://$1/hello" &&
    grep -q "hello through the tunnel" "$work/page"
}

# --- Scans

# scan_ports FIRST LAST: connections to closed ports of the web server, one after the other.
scan_ports() {
  local port
  for ((port = $1; port <= $2; port++)); do
    in_ns client timeout 1 bash -c "exec 3<>/dev/tcp/$web_host/$port" 2>/dev/null || true
  done
}

# forged_scan SOURCE TARGET FIRST LAST [OPEN]: SYNs in the name of somebody else. OPEN: and what a blind attacker would send
# after SYNs to that open port.
forged_scan() {
  in_ns client python3 - "$@" <<'PYTHON'
import socket, struct, sys

source, target = (socket.inet_aton(a) for a in sys.argv[1:3])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

def send(own, port, flags, seq, ack, payload=b""):
    tcp = struct.pack("!HHIIBBHHH", own, port, seq, ack, 5 << 4, flags, 1024, 0, 0) + payload
    total = struct.pack("!4s4sBBH", source, target, 0, 6, len(tcp)) + tcp
    total += b"\0" * (len(total) % 2)
    words = sum(struct.unpack("!%dH" % (len(total) // 2), total))
    words = (words >> 16) + (words & 0xFFFF)
    words += words >> 16
    tcp = tcp[:16] + struct.pack("!H", ~words & 0xFFFF) + tcp[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), port, 0, 64, 6, 0, source, target)
    raw.sendto(ip + tcp, (sys.argv[2], 0))

for port in range(int(sys.argv[3]), int(sys.argv[4]) + 1):
    send(40000, port, 2, 1, 0)
for open_port in map(int, sys.argv[5:]):
    for own in range(41000, 41020):
        send(own, open_port, 2, 1, 0)
        send(own, open_port, 0x10, 2, 0x12345678)
        send(own, open_port, 0x18, 2, 0x12345678, b"\x16\x03\x01\x00\x05hello")
PYTHON
}
