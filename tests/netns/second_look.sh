#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The second look: SSH that carries other connections (-D, -L) raises an alert once its sizes have come from the kernel;
# a shell, a download and SFTP do not. Nothing is blocked.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "$(readlink -f "$0")")/lib.sh"
enter_sandbox "$@"

# A server with all that OpenSSH has, on one port for each use, so that alerts say whose they are.
start_open_sshd() {
  local port
  {
    for port in 2201 2202 2203 2204; do
      echo "ListenAddress $ssh_host:$port"
    done
    cat <<CONF
HostKey $work/host_key
AuthorizedKeysFile $work/user_key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
PidFile none
UseDNS no
CONF
  } >"$work/open_sshd.conf"
  spawn open_sshd server /usr/sbin/sshd -D -e -f "$work/open_sshd.conf"
  wait_for 10 "sshd listens on 2204" log_says open_sshd "port 2204"
}

ssh_options=(-i "$work/user_key" -o StrictHostKeyChecking=no -o ConnectTimeout=10 -o UserKnownHostsFile=/dev/null
  -o LogLevel=ERROR)

pages() { # pages COUNT CURL_ARGUMENTS...
  local i count=$1
  shift
  for ((i = 0; i < count; i++)); do
    in_ns client curl -sf --max-time 10 -o "$work/page" "$@" && grep -q "hello through the tunnel" "$work/page" ||
      return 1
    sleep 0.05
  done
}

has_second_look() {
  event_exists ".event_type == \"alert\" and .dest_port == $1 and .spid.second_look == \"ssh-tunnel\" and .spid.label == \"ssh\""
}
flow_ended() { event_exists ".event_type == \"flow\" and .dest_port == $1"; }
counted() { spidctl metrics --json | jq "[.. | objects | .$1 // empty | numbers] | add // 0"; }

step "A gateway with the shipped policy that observes"
make_topology
start_servers
start_open_sshd
start_spidd "$project_dir/policy/observe.toml"

step "Plain SSH raises no alert"
expect "a shell works" ssh_session "$work/ssh.log" "ls -la /etc" "cat /etc/services" "uname -a" "ls -la /usr/lib" "id"
in_ns client timeout 60 ssh "${ssh_options[@]}" -p 2201 "root@$ssh_host" "head -c 2000000 /dev/urandom" >"$work/fetched"
expect "a file was fetched" test "$(stat -c %s "$work/fetched")" = 2000000
in_ns client timeout 60 sftp "${ssh_options[@]}" -P 2202 -b - "root@$ssh_host" >"$work/sftp.log" 2>&1 <<BATCH || true
ls -l /etc
get /etc/services $work/services
put $work/fetched $work/put
$(for i in $(seq 10); do printf 'get /etc/passwd %s/passwd-%d\n' "$work" "$i"; done)
BATCH
expect "files were copied" cmp -s "$work/fetched" "$work/put"
for port in 22 2201 2202; do
  expect_soon 10 "the flow to port $port has ended" flow_ended "$port"
done
expect "they had a second look" test "$(counted second_looks)" -ge 3
refuse "and no alert came of it" event_exists '.event_type == "alert" and .spid.second_look != null'

step "ssh -D, each page a connection"
spawn socks client ssh "${ssh_options[@]}" -p 2203 -N -D 127.0.0.1:1080 "root@$ssh_host"
wait_for 10 "SOCKS listens" pages 1 --socks5-hostname 127.0.0.1:1080 "http://$web_host/hello"
expect "pages come through it" pages 14 --socks5-hostname 127.0.0.1:1080 "http://$web_host/hello"
expect_soon 10 "it raises the alert of the second look" has_second_look 2203

step "ssh -L"
spawn forward client ssh "${ssh_options[@]}" -p 2204 -N -L "127.0.0.1:8080:$web_host:80" "root@$ssh_host"
wait_for 10 "the forwarded port listens" pages 1 http://127.0.0.1:8080/hello
expect "pages come through it" pages 14 http://127.0.0.1:8080/hello
expect_soon 10 "it raises the alert of the second look" has_second_look 2204

step "Alerts, and nothing more"
expect "two were found" test "$(counted second_looks_found)" = 2
expect "nothing is blocked" test -z "$(spidctl drops --json)"
refuse "plain SSH still has none" event_exists \
  '.event_type == "alert" and .spid.second_look != null and (.dest_port | IN(22, 2201, 2202))'
expect "SOCKS still works" pages 1 --socks5-hostname 127.0.0.1:1080 "http://$web_host/hello"
